package report

import (
	"log/slog"
	"time"

	"github.com/taskvisor/taskvisor/events"
)

// run is an attempt of a task that has a streak. It is watched from its start on, or from
// when it was ready, and ends the streak once it has lasted.
type run struct {
	key   key
	since events.Event // which said so
}

// watch expects of the attempt that e is about that it may end the streak. A streak with
// a timeout is not ended by a run that goes on: it may hang as the other one did.
func (r *Reporter) watch(e events.Event) {
	k := keyOf(events.AttemptEnded, &e)
	s := r.streaks[k]
	if s == nil || s.hangs || s.flaps && e.Kind != events.TaskReady { // who used to be ready is watched from there
		return
	}
	s.run = r.runs.PushBack(&run{k, e})
}

// unwatch ends the watch of what e tells to be over, or to have got further. Its
// AttemptEnded, if there is one, knows how long it has run. Events that were lost may
// have been about any of them.
func (r *Reporter) unwatch(e *events.Event) {
	if r.runs.Len() == 0 {
		return
	}
	switch e.Kind {
	case events.AttemptStarted, events.TaskReady, events.TaskStopping, events.AttemptEnded,
		events.TaskStuck, events.TaskAbandoned, events.TaskFinished:
		if s := r.streaks[keyOf(events.AttemptEnded, e)]; s != nil {
			r.rest(s)
		}
	case events.EventsLost:
		for r.runs.Len() > 0 {
			r.rest(r.streaks[r.runs.Front().Value.(*run).key])
		}
	}
}

// rest ends the watch of the streak's run, if there is one.
func (r *Reporter) rest(s *streak) {
	if s.run != nil {
		r.runs.Remove(s.run)
		s.run = nil
	}
}

// settle ends the streaks whose runs have lasted by now. The one that began first is the
// first to be due, so what is not due costs one look at it.
func (r *Reporter) settle(now time.Time, enabled func(slog.Level) bool) {
	for r.runs.Len() > 0 {
		first := r.runs.Front().Value.(*run)
		lasted := now.Sub(first.since.At)
		if lasted < r.healthy() {
			return
		}
		s := r.streaks[first.key]
		r.forget(first.key)
		if s.open {
			e := first.since
			e.At = now
			r.tellRecovered(s, e, lasted, enabled)
		}
	}
}
