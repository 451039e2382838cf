package report

import (
	"cmp"
	"container/list"
	"fmt"
	"hash/maphash"
	"slices"
	"time"

	"github.com/taskvisor/taskvisor/events"
)

const (
	// maxTexts is how many different failures of a streak are news. An error whose
	// text is another one each time, by a port or an address, may not flood the log.
	maxTexts = 8
	// maxCompared is how much of an error's text tells it from another.
	maxCompared = 1024
	// staleAfter is when a streak without a further failure may be one whose end
	// was lost on the way. It is only looked for when there is no room.
	staleAfter = time.Hour
)

// key names a streak: the kind of its failures, and whose they are. A path alone may
// be taken by the next task before the last one has been told to be over.
type key struct {
	kind events.Kind
	id   events.ID
	name string // a path, or a subscriber
}

func keyOf(k events.Kind, e *events.Event) key { return key{k, e.ID, e.Path + e.Subscriber} }

// keyOfType names a streak of jobs. Those of a type share it: a thousand that fail do so
// for the same reason, most of the time.
func keyOfType(e *events.Event) key {
	k := key{kind: e.Kind, name: cmp.Or(e.Pattern, e.Path)}
	if e.Job != nil {
		k.name += "\x00" + e.Job.Type
	}
	return k
}

// streak is what has been going wrong.
type streak struct {
	failures uint64
	last     time.Time // when the latest was
	texts    []uint64  // those that have been told
	told     time.Time // when the latest line was
	untold   uint64    // failures since then

	escalated bool
	open      bool // there is something to recover from
	ready     bool // the present attempt is
	flaps     bool // attempts have failed that were ready
	hangs     bool // attempts have run into their timeout

	run *list.Element // the present attempt, while it is watched
}

// streakOf returns the streak of k, or nil if there is no room for a new one.
func (r *Reporter) streakOf(k key, now time.Time) *streak {
	if s := r.streaks[k]; s != nil {
		return s
	}
	if len(r.streaks) >= MaxTracked && !r.sweep(now) {
		return nil
	}
	if r.streaks == nil {
		r.streaks = make(map[key]*streak)
	}
	s := new(streak)
	r.streaks[k] = s
	return s
}

// forget drops a streak, of which there is one.
func (r *Reporter) forget(k key) {
	r.rest(r.streaks[k])
	delete(r.streaks, k)
}

// sweep forgets the leftovers of events that were lost, and says whether there is
// room again. It looks for them once per minute at most.
func (r *Reporter) sweep(now time.Time) bool {
	if !r.swept.IsZero() && now.Sub(r.swept) < time.Minute {
		return false
	}
	r.swept = now
	for k, s := range r.streaks {
		if now.Sub(s.last) >= staleAfter {
			r.forget(k)
		}
	}
	return len(r.streaks) < MaxTracked
}

// account writes the numbers of the streak on a line.
func (s *streak) account(l *Line) {
	if s.failures > 1 {
		l.Failures = s.failures
	}
	l.Repeats = s.untold
}

// has says that the text has been told.
func (s *streak) has(text uint64) bool { return slices.Contains(s.texts, text) }

// knows says that the text is no news.
func (s *streak) knows(text uint64) bool { return len(s.texts) == maxTexts || s.has(text) }

func (s *streak) learn(text uint64) {
	if !s.knows(text) {
		s.texts = append(s.texts, text)
	}
}

var seed = maphash.MakeSeed()

// fingerprint tells one failure from another, by how it ended and by the beginning of
// its text. fmt survives an Error method that panics.
func fingerprint(e events.Event) uint64 {
	text := fmt.Sprint(e.Err)
	var h maphash.Hash
	h.SetSeed(seed)
	_ = h.WriteByte(byte(e.Exit))
	_, _ = h.WriteString(text[:min(len(text), maxCompared)])
	return h.Sum64()
}
