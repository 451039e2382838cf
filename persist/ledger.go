package persist

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// ledger is the task that has the store: it opens it, reads what there is, and then stores
// what it is handed, all that has gathered meanwhile in one commit.
type ledger Queue

// The most that is stored in one commit, beyond its first op.
const (
	maxSteps = 4096
	maxBytes = 4 << 20
)

// Run has the store until ctx ends.
func (l *ledger) Run(ctx context.Context) (err error) {
	q, b := (*Queue)(l), l.book
	b.mu.Lock()
	b.reset()
	run := b.run
	if info, ok := actor.FromContext(ctx); ok {
		b.watch, b.path = supervisor.FromContext(ctx).Bus(), strings.TrimSuffix(info.Path, "/ledger")
	}
	q.enterPhase(opening)
	b.mu.Unlock()
	defer b.during(run, func() { q.enterPhase(notRunning) })

	store, err := q.cfg.Store.Open(ctx)
	if err != nil {
		return actor.Fatal(err) // whether to try again is for who runs the queue
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := l.recover(ctx, store, run); err != nil {
		return actor.Fatal(err)
	}

	defer l.store.CompareAndSwap(&store, nil)
	serves := b.during(run, func() {
		l.store.Store(&store)
		q.enterPhase(inService)
		for _, k := range b.kinds {
			if k.run == nil && k.count[Ready] > 0 {
				b.tellUnknown(k)
			}
		}
	})
	if !serves {
		return ErrNotRunning
	}
	actor.Ready(ctx)
	w := writer{q: q, run: run, store: store}
	return w.loop(ctx)
}

// recover makes the book of what is in the store.
func (l *ledger) recover(ctx context.Context, store Store, run uint64) error {
	q, b := (*Queue)(l), l.book
	began := time.Now()
	var claimed []*entry
	found := 0
	var room []entry
	r, err := store.Recover(ctx, func(j *Job) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.run != run {
			return ErrNotRunning
		}
		if len(room) == 0 {
			room = make([]entry, entryRoom)
		}
		e := &room[0]
		room = room[1:]
		b.fill(e, &j.Record, &j.State, b.kind(j.Type))
		if ahead := b.register(e); ahead != nil {
			for ahead.follower() != nil {
				ahead = ahead.follower()
			}
			follow(e, ahead)
		}
		if j.Claimed {
			claimed = append(claimed, e)
		} else if j.Verdict == 0 {
			b.settleIn(e) // in the order of the IDs, which heaps are thankful for
		}
		found++
		return nil
	})
	if err != nil {
		return err
	}
	b.mu.Lock()
	if b.run != run {
		b.mu.Unlock()
		return ErrNotRunning
	}
	b.next, b.past = r.Next, r.Past
	steps := b.suspectAll(claimed, r.Clean, q.cfg.Crashes)
	decided := b.decided()
	for _, e := range decided {
		end := End{Kind: e.more.verdict, At: began}
		if f := e.follower(); end.Kind == Superseded && f != nil {
			end.By = f.id
		}
		end.By = cmp.Or(e.more.by, end.By)
		steps = append(steps, Step{Verb: Resolve, ID: e.id, State: e.state(&b.clock), End: end})
	}
	b.mu.Unlock()
	if len(steps) > 0 || !r.Clean { // be it that there is nothing to note
		if _, err := store.Commit(ctx, steps); err != nil {
			return fmt.Errorf("take note of a crash: %w", err)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.run != run {
		return ErrNotRunning
	}
	b.publish(events.StoreOpened, func(e *events.Event) { e.Elapsed, e.Count = time.Since(began), uint64(found) })
	for kind := range b.past {
		if q.excess(Ending(kind), 0) > 0 {
			b.enqueue(&pruneOp{q: q, kind: Ending(kind)})
		}
	}
	for _, e := range decided {
		b.past[e.more.verdict]++
		b.counts.ended[e.more.verdict]++
		b.tellEnd(endKind[e.more.verdict], e, &verdict{}, began)
		b.forget(e)
	}
	for _, e := range claimed {
		if e.place == gone {
			continue
		}
		b.settleIn(e)
		if e.place == parked {
			b.tell(events.JobParked, e, func(x *events.Event) { x.Err = errors.New(e.more.parked) })
		}
	}
	return nil
}

// suspectAll takes note of the jobs that ran when the process died.
func (b *book) suspectAll(claimed []*entry, clean bool, limit int) (steps []Step) {
	watch := limit != policy.Unlimited
	b.cautious = !clean && watch
	for _, e := range claimed {
		if !clean && watch {
			e.suspect = true
			b.suspects = append(b.suspects, e)
			if len(claimed) == 1 {
				e.extend().crashes++
			}
			if n := e.extra().crashes; n >= limit {
				e.more.parked = fmt.Sprintf("was the only job that ran in %d crashes of the process, the last one found at %v", n, time.Now().Format(time.RFC3339))
				e.suspect = false
			}
		}
		steps = append(steps, Step{Verb: Amend, ID: e.id, State: e.state(&b.clock)})
	}
	return steps
}

// decided returns the jobs whose end was decided while they ran.
func (b *book) decided() (jobs []*entry) {
	for at := range b.jobs.All() {
		e := *at
		if e.place == arriving && e.extra().verdict != 0 {
			jobs = append(jobs, e)
		}
	}
	slices.SortFunc(jobs, func(a, o *entry) int { return cmp.Compare(a.id, o.id) })
	return jobs
}

// sweeper is the task that looks after what is due.
type sweeper Queue

// Run does what is due until ctx ends.
func (s *sweeper) Run(ctx context.Context) error {
	q, b := (*Queue)(s), s.book
	timer := time.NewTimer(0)
	defer timer.Stop()
	for opening := 0; ; {
		b.mu.Lock()
		b.keepTime(time.Now())
		expired, next := b.mature(b.clock.now())
		for _, e := range expired {
			b.enqueue(&expireOp{job: e})
		}
		wait := time.Hour
		if next != 0 {
			wait = min(time.Duration(next-b.clock.now()), maxSleep)
		}
		switch now, _ := q.workers.Guard().(*gate); {
		case b.opened == nil:
		case b.opened == now:
			b.opened = nil
		case opening < maxOpening: // it is about to be
			opening++
			wait = min(wait, time.Millisecond)
		}
		if b.opened == nil {
			opening = 0
		}
		b.mu.Unlock()
		q.dispatch()
		timer.Reset(max(wait, 0))
		select {
		case <-timer.C:
		case <-b.alarm:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// maxOpening is how many milliseconds the workers may take to begin a run that has been prepared.
const maxOpening = 1000

// maxSleep is how often the clocks are compared while something waits for a time.
const maxSleep = 30 * time.Second
