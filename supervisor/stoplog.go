package supervisor

import (
	"slices"
	"strings"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
)

// How much of a stop is kept by name. A family of 100,000 ends within a fraction of a
// second, one like the other: the first of them say it all, and what stands out is
// never left out.
const (
	// maxOrdinary is how many ends of a stop are kept that do not stand out.
	maxOrdinary = 1000
	// slowEnd is how long an end may take without standing out.
	slowEnd = time.Second
)

// stopLog is what a stop writes down while run.mu is held: only what is there already,
// since the texts for people call a user's errors. Once the run is over it is read
// only. It holds on to nothing of the run.
type stopLog struct {
	path     string
	id       events.ID // of the task that the run was, 0 at a root
	attempt  int       // of that task
	epoch    time.Time // when the run began, by the wall clock at its end
	began    instant   // of the run, as all in it
	took     time.Duration
	err      error // why the run ended by itself
	ends     []stopEnd
	ordinary int // of the ends
	omitted  int
	rejected int // had waited to be let in
}

// stopEnd is the end of one task in a stopLog.
type stopEnd struct {
	path    string
	id      events.ID
	told    instant
	took    time.Duration
	err     error // as StoppedTask.Err
	outcome *actor.Outcome
	below   *stopLog
	earlier bool
}

// stuck says where an abandoned task was, nil for others.
func (e *stopEnd) stuck() *actor.StuckError {
	if e.outcome.Kind != events.Abandoned {
		return nil
	}
	return e.outcome.Err.(*actor.StuckError) //nolint:errorlint // set by this package
}

// stands says that the run ended by itself, that some waited in vain, or that an end in it
// stands out.
func (l *stopLog) stands() bool { return l.err != nil || l.rejected > 0 || l.ordinary < len(l.ends) }

// logEnd writes down the end of a child, just now, while the run stops. It is called on
// the child's goroutine, whose stack should not have to grow for what is not kept, and by
// one child after the other, so that each step of it adds to the stop of many.
func (r *run) logEnd(c *child, o *actor.Outcome) {
	if !c.added {
		return // nobody knew of it
	}
	var took time.Duration
	if c.toldAt != 0 {
		took = max(time.Duration(c.since-c.toldAt), 0)
	}
	err := failureOf(c, o)
	var below *stopLog
	if c.set.head != nil {
		below = r.stop.logOf(c, o)
	}

	log := &r.stop.log
	standsOut := err != nil || o.Kind == events.Abandoned || o.StopErr != nil || took > slowEnd
	if !standsOut && (below == nil || !below.stands()) {
		if log.ordinary == maxOrdinary {
			log.omitted++
			return
		}
		log.ordinary++
	}
	log.add(c, o, took, err, below)
}

func (l *stopLog) add(c *child, o *actor.Outcome, took time.Duration, err error, below *stopLog) {
	l.ends = append(l.ends, stopEnd{path: c.Path(), id: c.ID(), told: c.toldAt, took: took, err: err, outcome: o, below: below})
}

// failureOf is the last error of a child that failed, be it that only the stop kept it
// from another attempt.
func failureOf(c *child, o *actor.Outcome) error {
	if o.Kind == events.Failed || (o.Kind == events.Stopped && c.toldAt == 0 && c.reason != 0) {
		return c.lastErr()
	}
	return nil
}

// logOf returns what the run of a child that is a supervisor wrote down of its stop: of
// the run that this very child was in its last attempt, and only if it was part of
// this stop. The supervisor may have been run by others, or not at all, and a child
// that paused when it was told has nothing that still had to be stopped.
func (s *stop) logOf(c *child, o *actor.Outcome) *stopLog {
	if o.Kind == events.Abandoned {
		return nil
	}
	log := c.set.head.lastStop.Load()
	if log == nil || log.id != c.ID() || log.attempt != int(c.attempts) {
		return nil
	}
	if o.Kind == events.Stopped && c.toldAt != 0 && log.began.after(log.epoch).Add(log.took).Before(c.run.time(s.began)) {
		return nil
	}
	return log
}

// closeLog ends the log of the stop, for StopReport and for the parent. The tasks left
// are those that runs below had abandoned before the stop began and that have still
// not returned.
func (r *run) closeLog(left []*actor.StuckError, now instant) {
	log := r.stop.log // a copy: the stop knows children, and they know the run
	log.path, log.err = r.name(), r.stop.err
	log.epoch, log.began, log.took = r.epoch(), r.stop.began, now.since(r.stop.began)
	log.rejected = r.rejected
	if r.isSelf() {
		log.id, log.attempt = r.self.Actor().ID(), r.self.Number()
	}
	log.ends = append(log.ends, r.earlier(left, now)...)
	r.s.lastStop.Store(&log)
}

// earlier returns the tasks that were abandoned before the stop began and have not
// returned.
func (r *run) earlier(left []*actor.StuckError, now instant) (ends []stopEnd) {
	was := func(stuck *actor.StuckError, took time.Duration) stopEnd {
		o := &actor.Outcome{Kind: events.Abandoned, Err: stuck}
		return stopEnd{path: stuck.Path, took: took, outcome: o, earlier: true}
	}
	ours := map[*actor.StuckError]bool{} // abandoned by this stop
	for i := range r.stop.log.ends {
		if stuck := r.stop.log.ends[i].stuck(); stuck != nil {
			ours[stuck] = true
		}
	}
	for at, z := range r.zombies {
		if !ours[z.stuck] {
			e := was(z.stuck, now.since(z.toldAt))
			e.id, e.told = at.Actor().ID(), z.toldAt
			ends = append(ends, e)
		}
	}
	for _, stuck := range left {
		ends = append(ends, was(stuck, stuck.For))
	}
	slices.SortFunc(ends, func(a, b stopEnd) int { return strings.Compare(a.path, b.path) })
	return ends
}
