package persist

import (
	"encoding/hex"
	"strconv"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
)

// ID names a job in its store: from 1, in the order of submission. It is never used
// again, but for that of a job that was lost since it was Relaxed; and a job that has ended
// keeps it.
type ID uint64

// String returns the number.
func (id ID) String() string { return strconv.FormatUint(uint64(id), 10) }

// Tag is a pair of texts that a job was submitted with.
type Tag = events.Tag

// Digest stands for the key of a job: of the jobs that have not ended, only one runs for
// each digest. Zero is no key.
type Digest [16]byte

// MarshalText returns the digest as hexadecimal digits.
func (d Digest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

// UnmarshalText reads what MarshalText has written.
func (d *Digest) UnmarshalText(text []byte) error {
	if len(text) != 2*len(d) {
		return hex.ErrLength
	}
	_, err := hex.Decode(d[:], text)
	return err
}

// IsZero reports whether there is no key.
func (d Digest) IsZero() bool { return d == Digest{} }

// Record is what is said of a job when it is submitted. It never changes.
type Record struct {
	// ID is given by the queue.
	ID ID `json:"id"`
	// Type is the full name of the type, as domain/name, or as name in the default domain.
	Type string `json:"type"`
	// Key is the text that was given as the key. It is empty when the key was made of the
	// payload, or when there is none.
	Key string `json:"key,omitempty"`
	// Digest is made of the type and the key.
	Digest Digest `json:"digest,omitzero"`
	// Label is for people. Empty means Key, and then Type.
	Label string `json:"label,omitempty"`
	// Group is whose jobs share a limit, or empty.
	Group string `json:"group,omitempty"`
	// Priority is that of the submission; State has the present one.
	Priority Priority `json:"submitted_priority"`
	// Tags are in the order of their keys.
	Tags []Tag `json:"tags,omitempty"`
	// Submitted is when the queue took the job in.
	Submitted time.Time `json:"submitted"`
	// RunAt is before when it shall not run; zero means at once.
	RunAt time.Time `json:"submitted_run_at,omitzero"`
	// TTL is after how long the job is not worth running any more; zero means never.
	TTL time.Duration `json:"ttl,omitzero"`
	// TTLFrom says from when TTL counts.
	TTLFrom TTLFrom `json:"ttl_from,omitzero"`
	// Rules are the settings of the attempts that this submission was given. Zeros are
	// taken from the type when an attempt is made.
	Rules Rules `json:"-"`
	// Payload is what the handler is given, encoded. It is nil in what a store lists.
	Payload []byte `json:"payload,omitempty"`
}

// Rules are the settings that attempts of a job have, and what follows them. Zeros are
// inherited.
type Rules struct {
	// MaxRetries is how many failed attempts may be followed by another. Zero inherits;
	// policy.Unlimited and policy.NoRetry are named.
	MaxRetries int
	// Backoff is the pause before a retry. A stored one has no Custom.
	Backoff policy.Backoff
	// Timeout ends the context of an attempt that takes longer; policy.NoTimeout is named.
	Timeout time.Duration
	// Stall ends the context of an attempt that has not called actor.Beat, or reported
	// progress, for that long.
	Stall time.Duration
	// Grace is how long an attempt may take to return after its context has ended.
	Grace time.Duration
}

// State is what changes in the life of a job that has not ended.
type State struct {
	// Fence is the number of its last claim. What an older claim has to say changes
	// nothing.
	Fence uint64 `json:"fence,omitzero"`
	// Claimed says that somebody has it. It is stored only while claims have to be
	// durable, and what is stored may be out of date the other way round only: a job that
	// is claimed need not be stored as such.
	Claimed bool `json:"claimed,omitempty"`
	// Attempts is how many attempts were used up, Failures how many of them failed.
	Attempts int `json:"attempts"`
	Failures int `json:"failures"`
	// Priority is the present one.
	Priority Priority `json:"priority"`
	// RunAt is before when it shall not run; zero means at once.
	RunAt time.Time `json:"run_at,omitzero"`
	// Expires is when it is not worth running any more; zero means never.
	Expires time.Time `json:"expires,omitzero"`
	// Pause is the last pause before a retry, from which some backoffs make the next.
	Pause time.Duration `json:"pause,omitzero"`
	// Last is what went wrong last, or nil.
	Last *Failure `json:"last,omitempty"`
	// Verdict is how it will end whatever its attempt does: Cancelled or Superseded. Zero
	// means that it is open.
	Verdict Ending `json:"verdict,omitzero"`
	// Crashes is how often the process ended without closing the store while this job ran
	// alone.
	Crashes int `json:"crashes,omitzero"`
	// Parked says why the job is set aside until somebody releases it, or is empty.
	Parked string `json:"parked,omitempty"`
	// PutOff says of one that has failed before that it waits since it was put off then, and not for
	// a retry.
	PutOff bool `json:"put_off,omitempty"`
	// By is the job that takes its place, if Verdict is Superseded.
	By ID `json:"verdict_by,omitzero"`
}

// Failure is one thing that went wrong.
type Failure struct {
	// At is when.
	At time.Time `json:"at"`
	// Attempt is the number of the attempt.
	Attempt int `json:"attempt"`
	// Exit says how the attempt ended.
	Exit policy.Exit `json:"exit,omitzero"`
	// Text is that of the error, at most MaxErrorText bytes of it, the stack of a panic
	// included.
	Text string `json:"text"`
}

// End is how a job has ended, for good but for a dead letter, which can be revived.
type End struct {
	// Kind says how.
	Kind Ending `json:"kind"`
	// At is when it was decided.
	At time.Time `json:"at"`
	// Seq is its place in the order of all ends, from 1. The store gives it.
	Seq uint64 `json:"seq"`
	// Elapsed is how long the last attempt took.
	Elapsed time.Duration `json:"elapsed,omitzero"`
	// By is the job that took its place, if it was superseded.
	By ID `json:"by,omitzero"`
	// Text says why, in so far as State.Last does not.
	Text string `json:"text,omitempty"`
}

// Job is all that a store knows of a job. The present priority and time to run are those of
// its State; in JSON they are "priority" and "run_at", and those of the submission begin with
// "submitted". The names in JSON are stable.
type Job struct {
	Record
	State
	// End is nil while the job has not ended.
	End *End `json:"end,omitempty"`
}

// Ended reports whether the job has ended.
func (j *Job) Ended() bool { return j.End != nil }

// InitialState is the state of a job that has just been submitted.
func (r *Record) InitialState() State {
	s := State{Priority: r.Priority, RunAt: r.RunAt}
	if r.TTL > 0 && r.TTLFrom == TTLFromSubmission {
		s.Expires = r.Submitted.Add(r.TTL)
	}
	return s
}
