package persist

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/taskvisor/taskvisor/internal/label"
	"github.com/taskvisor/taskvisor/policy"
)

// Submission is a job to be. It is made by Type.New, or by [Raw].
type Submission struct {
	def     *definition
	raw     string // the full name, of one without a definition
	value   any    // the input, or the payload of a raw one
	keyOf   func() string
	groupOf func() string
	opts    []Option
}

// Raw returns a submission by the full name of a type, with a payload that is stored as it
// is. It is for tools that know nothing of types. If the queue knows the type, its settings
// count; its KeyedBy does not.
func Raw(typeName string, payload []byte, opts ...Option) Submission {
	return Submission{raw: typeName, value: payload, opts: opts}
}

// Result is what has become of a submission.
type Result struct {
	Kind ResultKind `json:"kind"`
	// ID is the job that does what was submitted: a new one, or one that was there. It is
	// zero if the submission was rejected.
	ID ID `json:"id"`
	// Other is the job that was superseded, that is waited for, or that has the key.
	Other ID `json:"other,omitzero"`
}

// ResultKind says what has become of a submission. Zero is nothing: it was not stored.
type ResultKind uint8

const (
	_ ResultKind = iota
	// Inserted means: it is a new job.
	Inserted
	// Upgraded means: a job that waits has its key, and has got its priority.
	Upgraded
	// Requeued means: a job that runs has its key; it is a new job that runs after that.
	Requeued
	// Replaced means: it is a new job, and has superseded another.
	Replaced
	// Duplicate means: another job has its key, and does what was submitted.
	Duplicate
	// Rejected means: another job has its key, and it was to be rejected then.
	Rejected
)

var resultKinds = label.Table[ResultKind]{Type: "result", Unsaid: true, Labels: []string{
	Inserted:  "inserted",
	Upgraded:  "upgraded",
	Requeued:  "requeued",
	Replaced:  "replaced",
	Duplicate: "duplicate",
	Rejected:  "rejected",
}}

// String returns the label of k, and nothing for zero.
func (k ResultKind) String() string { return resultKinds.String(k) }

// MarshalText returns the label of k, and nothing for zero; a value without one is an
// error.
func (k ResultKind) MarshalText() ([]byte, error) { return resultKinds.Marshal(k) }

// UnmarshalText sets k to the value with that label; an unknown label is an error.
func (k *ResultKind) UnmarshalText(text []byte) error { return resultKinds.Unmarshal(k, text) }

// New reports whether there is a new job.
func (r Result) New() bool { return r.Kind == Inserted || r.Kind == Requeued || r.Kind == Replaced }

// SubmissionError says what is wrong with a submission. Nothing of it was stored.
type SubmissionError struct {
	// Index is its place among those submitted together.
	Index int
	// Type is the full name of its type.
	Type string
	Err  error
}

func (e *SubmissionError) Error() string {
	return fmt.Sprintf("submission %d of type %q: %v", e.Index, e.Type, e.Err)
}

// Unwrap returns what is wrong.
func (e *SubmissionError) Unwrap() error { return e.Err }

// prepared is a submission as the ledger takes it.
type prepared struct {
	job        Job // without its ID
	duplicates Duplicates
	keyed      bool // it is to have a Digest
	delayed    bool // its RunAt is a delay, and no time of day
	shares     bool // memory with others
}

// lasting returns its job, so that it keeps no other.
func (p *prepared) lasting() *Job {
	if !p.shares {
		return &p.job
	}
	j := p.job
	j.Payload = slices.Clone(j.Payload)
	return &j
}

// prepare makes a record of a submission, without the ID.
func (s *Submission) prepare(p *prepared, w *scribe, k *kind, set *settings, maxPayload int, now time.Time) error {
	if err := set.err(); err != nil {
		return err
	}
	if set.at.Sub(now) > MaxWait {
		return &policy.FieldError{Field: "RunAt", Value: set.at, Reason: "is later than MaxWait from now"}
	}
	payload, err := w.payload(s, set.codec)
	if err != nil {
		return &PayloadError{Err: err}
	}
	if len(payload) > maxPayload {
		return &PayloadError{Size: len(payload), Limit: maxPayload}
	}
	p.duplicates = set.duplicates
	r := &p.job.Record
	*r = Record{
		Type: k.name, Label: set.label, Group: set.group, Priority: set.priority, Tags: slices.Clone(set.tags),
		Submitted: now.Round(0), RunAt: set.at, TTL: set.ttl, TTLFrom: set.ttlFrom, Rules: set.ownRules(), Payload: payload,
	}
	if set.delay > 0 {
		r.RunAt, p.delayed = now.Add(set.delay), true
	}
	if s.groupOf != nil && set.from[setGroup] < ofBatch {
		if r.Group, err = call("GroupedBy", s.groupOf); err != nil {
			return err
		}
		if len(r.Group) > MaxName {
			return &policy.FieldError{Field: "Group", Value: len(r.Group), Reason: "is longer than MaxName"}
		}
	}
	return s.identify(p, set)
}

// identify says what the key of a record is: a text, or its payload.
func (s *Submission) identify(p *prepared, set *settings) (err error) {
	r := &p.job.Record
	switch {
	case set.keying == keyGiven:
		r.Key = set.key
	case set.keying == keyNone:
		return nil
	case s.keyOf != nil:
		if r.Key, err = call("KeyedBy", s.keyOf); r.Key == "" {
			return err
		}
		if len(r.Key) > MaxKey {
			return &policy.FieldError{Field: "Key", Value: len(r.Key), Reason: "is longer than MaxKey"}
		}
	}
	p.keyed = true
	return nil
}

// keySize is how large the key is.
func (p *prepared) keySize() int {
	switch r := &p.job.Record; {
	case !p.keyed:
		return 0
	case r.Key != "":
		return len(r.Key)
	default:
		return len(r.Payload)
	}
}

// digest makes the Digest of its key, if it has one.
func (p *prepared) digest() {
	r := &p.job.Record
	switch {
	case !p.keyed:
	case r.Key != "":
		r.Digest = digest(r.Type, 'k', []byte(r.Key))
	default:
		r.Digest = digest(r.Type, 'p', r.Payload)
	}
}

// call survives a function of a user's that panics.
func call(name string, f func() string) (text string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the function of %s panicked: %v", name, p)
		}
	}()
	return f(), nil
}

// digest tells what is a key from what is a payload, and where the type ends.
func digest(typeName string, what byte, key []byte) (d Digest) {
	buf := make([]byte, 0, 512)
	buf = binary.AppendUvarint(buf, uint64(len(typeName)))
	buf = append(buf, typeName...)
	buf = append(buf, what)
	buf = append(buf, key...)
	sum := sha256.Sum256(buf)
	copy(d[:], sum[:])
	if d.IsZero() {
		d[0] = 1
	}
	return d
}

// ownRules are the rules that were said of the submission itself.
func (s *settings) ownRules() (r Rules) {
	own := func(what setting) bool { return s.from[what] >= ofBatch }
	if own(setMaxRetries) {
		r.MaxRetries = s.rules.MaxRetries
	}
	if own(setBackoff) {
		r.Backoff = s.rules.Backoff
	}
	if own(setTimeout) {
		r.Timeout = s.rules.Timeout
	}
	if own(setStall) {
		r.Stall = s.rules.Stall
	}
	if own(setGrace) {
		r.Grace = s.rules.Grace
	}
	return r
}
