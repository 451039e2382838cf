//go:build unix

package torture

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/policy"
)

// task is the input of a job. It says what the job does, so that the witness knows what may
// become of it, in whichever life of the process that is.
type task struct {
	// N is the number of the submission. No two have the same one.
	N     int64  `json:"n"`
	Type  string `json:"type"`
	Key   string `json:"key,omitempty"`
	Group string `json:"group,omitempty"`
	// Fate is what attempts do up to the number Fails. Those after it succeed.
	Fate    string `json:"fate,omitempty"`
	Fails   int    `json:"fails,omitempty"`
	Retries int    `json:"retries,omitempty"`
	// Snoozes is how often it puts itself off, in each life of the process.
	Snoozes int `json:"snoozes,omitempty"`
	// Work is how long an attempt takes.
	Work time.Duration `json:"work,omitempty"`
	// NotBefore is a time of day, in nanoseconds.
	NotBefore int64         `json:"not_before,omitempty"`
	TTL       time.Duration `json:"ttl,omitempty"`
	// Soft says that it is acknowledged before it is durable.
	Soft bool `json:"soft,omitempty"`
	// Batch is the number of the first of those that are submitted together.
	Batch    int64  `json:"batch,omitempty"`
	Priority uint8  `json:"priority,omitempty"`
	Strategy string `json:"strategy,omitempty"`
	Pad      int    `json:"pad,omitempty"`
}

// The fates of tasks. Those of the first kind are retried, and end as dead letters.
const (
	fails  = "error"
	panics = "panic"
	hangs  = "hang"
	exits  = "goexit"

	fatal   = "fatal"
	cancels = "cancel"
	kills   = "kill" // the process, and itself with it
)

// padded is a task as it is submitted: with so many bytes behind it.
type padded struct {
	task
	Filler string `json:"filler,omitempty"`
}

// The limits that the victim sets and the witness watches.
var groupLimits = map[string]int{"one": 1, "two": 2, "three": 3}

const domainLimit = 2

var limited = &persist.Domain{Name: "narrow", Limit: domainLimit}

// types are the types of jobs, by name.
var types = map[string]*persist.Type[padded]{
	"plain":        persist.Define[padded]("plain"), // its key is its payload, and all of them differ
	"keyed":        persist.Define[padded]("keyed").KeyedBy(func(p padded) string { return p.Key }),
	"other":        persist.Define[padded]("other", persist.WithoutKey()),
	"soft":         persist.Define[padded]("soft", persist.WithoutKey(), persist.WithDurability(persist.Relaxed)),
	"softkeyed":    persist.Define[padded]("softkeyed", persist.WithDurability(persist.Relaxed)),
	"narrow/plain": persist.DefineIn[padded](limited, "plain", persist.WithoutKey()),
	"narrow/keyed": persist.DefineIn[padded](limited, "keyed"),
}

// submission makes one of a task.
func (t task) submission() persist.Submission {
	p := padded{task: t, Filler: filler(t.Pad)}
	opts := []persist.Option{persist.WithPriority(persist.Priority(t.Priority)), persist.WithMaxRetries(t.Retries)}
	if t.Group != "" {
		opts = append(opts, persist.WithGroup(t.Group))
	}
	if t.Key != "" && t.Type != "keyed" {
		opts = append(opts, persist.WithKey(t.Key))
	}
	if t.Strategy != "" {
		var d persist.Duplicates
		must(d.UnmarshalText([]byte(t.Strategy)))
		opts = append(opts, persist.WithDuplicates(d))
	}
	if t.NotBefore != 0 {
		opts = append(opts, persist.WithRunAt(time.Unix(0, t.NotBefore)))
	}
	if t.TTL != 0 {
		opts = append(opts, persist.WithTTL(t.TTL))
	}
	if t.Fate == hangs {
		opts = append(opts, persist.WithTimeout(5*time.Millisecond))
	}
	return types[t.Type].New(p, opts...)
}

// filler returns n bytes that say how many there are.
func filler(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte((i+n)%26)
	}
	return string(b)
}

// life is what one victim is told.
type life struct {
	Path   string
	Number int
	Seed   uint64
	Mode   mode

	Workers, History, Dead, Crashes, Inline int
	Drain, Relaxed                          time.Duration
	NoSync, Check, Compact, Heavy           bool
	Poisons                                 int
}

// mode is what a victim does beside running jobs.
type mode string

const (
	load  mode = "load"  // it submits, cancels and revives until it is told to stop
	drain mode = "drain" // it releases what is parked, and says when nothing is left
	doom  mode = "doom"  // it submits jobs that kill it, if there are none yet, and says when no other are left
)

// storyteller writes lines. Each is one write, and shorter than what a pipe takes at once: it
// is there as a whole, and in the order of what it tells, or not at all.
type storyteller struct {
	mu  sync.Mutex
	out *os.File
}

func (s *storyteller) tell(format string, args ...any) {
	line := fmt.Appendf(nil, format+"\n", args...)
	if len(line) > 4096 {
		line = append(line[:4000], "...\n"...)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.out.Write(line); err != nil {
		os.Exit(1) // the witness is gone
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

var errPlanned = errors.New("as planned")

// pause is short: what is retried is to be retried in the same life, or while one begins.
var pause = policy.Exponential(time.Millisecond, 10*time.Millisecond)
