package persist

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/taskvisor/taskvisor/internal/label"
)

// Wait says why a job does not run.
type Wait struct {
	ID    ID    `json:"id"`
	Phase Phase `json:"phase"`
	// Reason is zero for a job that runs, or has ended.
	Reason WaitReason `json:"reason,omitzero"`
	// Until is when it will not wait for that any more, if that is known.
	Until time.Time `json:"until,omitzero"`
	// Since is since when it is ready, or runs.
	Since time.Time `json:"since,omitzero"`
	// Of is what it waits for: the name of a group, a domain or a type.
	Of string `json:"of,omitempty"`
	// Used of Limit places are taken, of those that it waits for.
	Used  int `json:"used,omitempty"`
	Limit int `json:"limit,omitempty"`
	// Job is the one that it waits for.
	Job ID `json:"job,omitzero"`
	// Ahead is how many jobs of its type and group go before it; MaxAhead stands for as many
	// and for more.
	Ahead int `json:"ahead,omitempty"`
	// Expires is when it ends as Expired if it has not run by then, if it has a TTL that counts.
	Expires time.Time `json:"expires,omitzero"`
	// Ending is how it has ended, if it has.
	Ending Ending `json:"ending,omitzero"`
	// Evidence is why it was set aside, or what has gone wrong.
	Evidence string `json:"evidence,omitempty"`
}

// WaitReason is what a job waits for.
type WaitReason uint8

const (
	_ WaitReason = iota
	// WaitsForTime means: it was submitted to run later, or has been put off.
	WaitsForTime
	// WaitsForRetry means: an attempt has failed, and this is the pause before the next.
	WaitsForRetry
	// WaitsForKey means: another job of the same key has to end before.
	WaitsForKey
	// WaitsForRelease means: it was set aside.
	WaitsForRelease
	// WaitsForHandler means: there is none for its type.
	WaitsForHandler
	// WaitsForWorker means: as many jobs run as there are workers.
	WaitsForWorker
	// WaitsForGroup means: as many jobs of its group run as may.
	WaitsForGroup
	// WaitsForDomain means: as many jobs of its domain run as may.
	WaitsForDomain
	// WaitsForTurn means: others go before it.
	WaitsForTurn
	// WaitsForSuspects means: the process died, and jobs that ran then are run alone first.
	WaitsForSuspects
	// WaitsForStore means: too many attempts have ended that could not be stored yet.
	WaitsForStore
)

var waitReasons = label.Table[WaitReason]{Type: "wait", Unsaid: true, Labels: []string{
	WaitsForTime:     "time",
	WaitsForRetry:    "retry",
	WaitsForKey:      "key",
	WaitsForRelease:  "release",
	WaitsForHandler:  "handler",
	WaitsForWorker:   "worker",
	WaitsForGroup:    "group",
	WaitsForDomain:   "domain",
	WaitsForTurn:     "turn",
	WaitsForSuspects: "suspects",
	WaitsForStore:    "store",
}}

// String returns the label of w, and nothing for zero.
func (w WaitReason) String() string { return waitReasons.String(w) }

// MarshalText returns the label of w, and nothing for zero; a value without one is an error.
func (w WaitReason) MarshalText() ([]byte, error) { return waitReasons.Marshal(w) }

// UnmarshalText sets w to the reason with that label; an unknown label is an error.
func (w *WaitReason) UnmarshalText(text []byte) error { return waitReasons.Unmarshal(w, text) }

// Why says why a job does not run. The error is that of Job.
func (q *Queue) Why(ctx context.Context, id ID) (Wait, error) {
	if _, err := q.reader(ctx); err != nil {
		return Wait{}, &JobError{Act: "explain", ID: id, Err: err}
	}
	b := q.book
	b.mu.Lock()
	if e := b.find(id); e != nil {
		defer b.mu.Unlock()
		return b.why(e), nil
	}
	b.mu.Unlock()
	j, err := q.Job(ctx, id)
	if err != nil {
		return Wait{}, err
	}
	w := Wait{ID: id, Phase: Ended}
	if j.End != nil {
		w.Ending, w.Evidence = j.End.Kind, j.End.Text
	}
	if j.Last != nil && w.Ending != Completed {
		w.Evidence = j.Last.Text
	}
	return w, nil
}

func (b *book) why(e *entry) Wait {
	w := Wait{ID: e.id, Phase: cmp.Or(phaseOf[e.place], Ready)}
	x := e.extra()
	if x.last != nil {
		w.Evidence = x.last.Text
	}
	if e.place.waits() {
		w.Expires = b.clock.wall(x.expires)
	}
	switch e.place {
	case running, claiming, settling:
		w.Since = b.clock.wall(e.when)
		if e.claim != nil {
			w.Since = b.clock.wall(e.claim.since())
		}
	case delayed:
		w.Reason, w.Until = WaitsForTime, b.clock.wall(e.when)
		if e.failures > 0 && !x.putOff {
			w.Reason = WaitsForRetry
		}
	case blocked:
		w.Reason = WaitsForKey
		if x.ahead != nil {
			w.Job = x.ahead.id
		}
	case parked:
		w.Reason, w.Evidence = WaitsForRelease, x.parked
	case arriving, leaving:
		w.Reason = WaitsForStore
	case ready:
		w.Since = b.clock.wall(e.when)
		b.whyReady(e, &w)
	}
	return w
}

// whyReady says which gate a job has to pass that is ready.
func (b *book) whyReady(e *entry, w *Wait) {
	d, g := e.kind.domain, e.group
	switch {
	case e.kind.run == nil:
		w.Reason, w.Of = WaitsForHandler, e.kind.name
	case d.full():
		w.Reason, w.Of, w.Used, w.Limit = WaitsForDomain, d.name, d.running, d.limit
	case b.full(g):
		w.Reason, w.Of, w.Used, w.Limit = WaitsForGroup, g.name, g.running, cmp.Or(g.own, b.groupLimit)
	case b.owing >= DefaultBacklog:
		w.Reason, w.Used, w.Limit = WaitsForStore, b.owing, DefaultBacklog
	case b.alone, b.suspect() != nil && !e.suspect:
		w.Reason = WaitsForSuspects
	case b.running >= b.workers:
		w.Reason, w.Used, w.Limit = WaitsForWorker, b.running, b.workers
	default:
		w.Reason = WaitsForTurn
	}
	if l := e.lane; l != nil {
		w.Ahead = l.ahead(e)
	}
}

// ahead counts the jobs of a lane that go before one, up to MaxAhead. What it looks at is
// bounded too: it is asked with the book locked, of lanes with a million jobs.
func (l *lane) ahead(e *entry) int {
	before := map[ID]bool{} // who has come back may be there twice
	looks := 4 * MaxAhead
	for i := range l.tiers {
		t := &l.tiers[i]
		if t.priority > e.priority {
			break
		}
		limit := int64(e.id)
		if t.priority < e.priority {
			limit = math.MaxInt64
		}
		t.heap.below(limit, func(s slot) bool {
			if l.holds(s, t.priority) {
				before[s.job.id] = true
			}
			looks--
			return looks > 0 && len(before) < MaxAhead
		})
		if looks == 0 {
			return MaxAhead // what does not count any more is as much in the way
		}
	}
	return len(before)
}

// String says why in a sentence.
func (w Wait) String() string {
	until := ""
	if !w.Until.IsZero() {
		until = " until " + w.Until.Format(time.RFC3339)
		if !w.Expires.IsZero() && !w.Expires.After(w.Until) {
			until += ", and expires before that"
		}
	}
	switch w.Reason {
	case 0:
		if w.Phase == Ended {
			return strings.TrimSuffix(fmt.Sprintf("it has ended: %v (%s)", w.Ending, w.Evidence), " ()")
		}
		if w.Phase != Running {
			return "nothing is known of it"
		}
		return "it runs since " + w.Since.Format(time.RFC3339)
	case WaitsForTime:
		return "it is not to run" + until
	case WaitsForRetry:
		return "it pauses before a retry" + until
	case WaitsForKey:
		return fmt.Sprintf("job %d has its key", w.Job)
	case WaitsForRelease:
		return "it is set aside: " + w.Evidence
	case WaitsForHandler:
		return fmt.Sprintf("there is no handler for type %q", w.Of)
	case WaitsForWorker:
		if w.Limit == 0 {
			return "the queue has no workers"
		}
		return fmt.Sprintf("all %d workers are busy", w.Limit)
	case WaitsForGroup:
		return fmt.Sprintf("group %q runs %d of at most %d jobs%s", w.Of, w.Used, w.Limit, w.queue())
	case WaitsForDomain:
		return fmt.Sprintf("domain %q runs %d of at most %d jobs", w.Of, w.Used, w.Limit)
	case WaitsForSuspects:
		return "jobs that ran when the process died are run alone first"
	case WaitsForStore:
		return "the store is behind"
	}
	return "others go before it" + w.queue()
}

// queue says how many go before it.
func (w Wait) queue() string {
	if w.Ahead == 0 {
		return ""
	}
	if w.Ahead >= MaxAhead {
		return fmt.Sprintf("; %d of its kind or more go before it", MaxAhead)
	}
	return fmt.Sprintf("; %d of its kind go before it", w.Ahead)
}
