package persist_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
	"github.com/taskvisor/taskvisor/policy"
)

// world plays a random history against a queue, and knows what must hold whatever happens.
type world struct {
	*harness
	seed    uint64
	rand    *rand.Rand
	m       *memstore.Memory
	kind    *persist.Type[string]
	workers int
	crashes bool // there are some; then nothing is relaxed

	mu      sync.Mutex
	on      map[string]persist.ID       // who runs, by key
	starts  map[persist.ID][]time.Time  // of attempts
	keys    map[persist.ID]string       // of all that were acknowledged
	given   map[persist.ID]bool         // to a new job
	tried   map[string]time.Time        // when somebody was about to submit a key, and so to raise a priority
	ends    map[persist.ID]persist.End  // that were seen, and not revived
	told    map[persist.ID]int          // ends that events have told of
	revived map[persist.ID]int          // how often
	does    map[persist.ID][]time.Time  // when it was told that a job does what was submitted
	after   map[persist.ID][]persist.ID // who has to have ended before one that runs
	unknown int                         // submissions of which it is not known what became of them
	unsure  bool                        // the store has been, and an event may be lost
	clean   bool                        // this run has begun after a clean end
	last    persist.ID                  // the highest that was acknowledged
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{
		seed: seed, rand: rand.New(rand.NewPCG(seed, seed)), m: memstore.New(),
		on: map[string]persist.ID{}, starts: map[persist.ID][]time.Time{}, keys: map[persist.ID]string{}, given: map[persist.ID]bool{}, tried: map[string]time.Time{},
		ends: map[persist.ID]persist.End{}, told: map[persist.ID]int{}, revived: map[persist.ID]int{}, does: map[persist.ID][]time.Time{},
		after: map[persist.ID][]persist.ID{},
		kind: persist.Define[string]("w", persist.WithMaxRetries(2), persist.WithBackoff(policy.Constant(3*time.Second))).
			KeyedBy(func(key string) string { return key }),
	}
	w.workers, w.crashes = 1+int(seed%3), seed%2 == 0
	w.begin(t, true)
	return w
}

func (w *world) begin(t *testing.T, clean bool) {
	w.mu.Lock()
	w.clean = clean
	w.mu.Unlock()
	w.harness = start(t, persist.Config{Store: w.m, Workers: w.workers, Handlers: []persist.Handler{w.kind.Handle(w.run)}})
}

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	w.t.Errorf("seed %d: "+format, append([]any{w.seed}, args...)...)
}

// run is the handler: what it does depends on the seed, the job and the attempt.
func (w *world) run(ctx context.Context, key string) (err error) {
	a, _ := persist.FromContext(ctx)
	j := a.Job()
	id := j.ID
	w.mu.Lock()
	if other := w.on[key]; other != 0 && key != "" {
		w.fail("job %d of key %s runs while job %d does", id, key, other)
	}
	w.on[key] = id
	w.starts[id] = append(w.starts[id], time.Now())
	if end, ended := w.ends[id]; ended {
		w.fail("job %d runs, which has ended as %v", id, end.Kind)
	}
	ordered := w.clean && w.workers == 1
	var known []persist.ID
	for other := range w.keys {
		known = append(known, other)
	}
	w.mu.Unlock()
	if ordered {
		w.isFirst(ctx, a.Queue(), j, known)
	}
	defer func() {
		w.mu.Lock()
		delete(w.on, key)
		w.mu.Unlock()
	}()
	luck := rand.New(rand.NewPCG(w.seed, uint64(id)<<16|uint64(j.Fence)))
	timer := time.NewTimer(time.Duration(luck.IntN(4)) * 700 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		time.Sleep(time.Duration(luck.IntN(2)) * time.Second)
		return ctx.Err()
	}
	switch luck.IntN(12) {
	case 0, 1, 2:
		return errors.New("oops")
	case 3:
		return actor.Fatal(errors.New("no"))
	case 4:
		return persist.Snooze(time.Duration(luck.IntN(3)) * time.Second)
	case 5:
		return persist.Cancel(nil)
	case 6:
		panic("oops")
	}
	return nil
}

// isFirst looks whether somebody should have gone before, who has been ready for longer than this
// very moment.
func (w *world) isFirst(ctx context.Context, q *persist.Queue, j *persist.Job, known []persist.ID) {
	now := time.Now()
	for _, id := range known {
		wait, err := q.Why(ctx, id)
		if err != nil || wait.Phase != persist.Ready || wait.Since.IsZero() || !wait.Since.Before(now) || id == j.ID {
			continue
		}
		other, err := q.Job(ctx, id)
		if err != nil {
			continue // ctx may have ended
		}
		w.mu.Lock()
		moved := w.tried[w.keys[id]].Equal(now) // it may have been less urgent when the other was claimed
		w.mu.Unlock()
		p, q := other.State.Priority, j.State.Priority
		if !moved && (p < q || p == q && id < j.ID) {
			w.fail("job %d of priority %v goes before job %d of %v, which is ready since %v", j.ID, q, id, p, now.Sub(wait.Since))
		}
	}
}

// submit submits one, and takes note of what was promised. It is called by several goroutines.
func (w *world) submit(key string, how persist.Duplicates, opts ...persist.Option) {
	before := time.Now()
	w.mu.Lock()
	w.tried[key] = before
	w.mu.Unlock()
	r, err := w.kind.Submit(w.t.Context(), w.Queue, key, append(opts, persist.WithDuplicates(how))...)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		if errors.Is(err, persist.ErrUnknown) {
			w.unknown++
		}
		if r != (persist.Result{}) {
			w.fail("error %v with %+v", err, r)
		}
		return
	}
	same := func(id persist.ID) {
		if k, known := w.keys[id]; known && k != key {
			w.fail("%+v: job %d has key %s, and not %s", r, id, k, key)
		}
	}
	switch r.Kind {
	case persist.Inserted, persist.Requeued, persist.Replaced:
		if w.given[r.ID] {
			w.fail("%+v: the number was given before", r)
		}
		w.given[r.ID] = true
		w.keys[r.ID] = key
		w.does[r.ID] = append(w.does[r.ID], before)
		w.last = max(w.last, r.ID)
		if r.Other != 0 {
			same(r.Other)
			w.after[r.ID] = append(w.after[r.ID], r.Other)
		}
		if r.Kind == persist.Replaced && how != persist.Supersede || r.Other >= r.ID {
			w.fail("%v: %+v", how, r)
		}
	case persist.Upgraded, persist.Duplicate:
		same(r.ID)
		w.does[r.ID] = append(w.does[r.ID], before)
		if how != persist.Skip {
			w.fail("%v: %+v", how, r)
		}
		if _, known := w.keys[r.ID]; !known {
			w.keys[r.ID] = key // of one that is acknowledged only now
		}
	case persist.Rejected:
		same(r.Other)
		if how != persist.Reject {
			w.fail("%v: %+v", how, r)
		}
	}
}

// look reads all jobs: none is missing, and who has ended has ended.
func (w *world) look() {
	synctest.Wait()
	w.mu.Lock()
	var ids []persist.ID
	for id := range w.keys {
		ids = append(ids, id)
	}
	w.mu.Unlock()
	for _, id := range ids {
		j, err := w.Job(w.t.Context(), id)
		if err != nil {
			w.fail("job %d was acknowledged, and is missing: %v", id, err)
			continue
		}
		w.mu.Lock()
		was, ended := w.ends[id]
		switch {
		case ended && !j.Ended():
			w.fail("job %d has ended as %v, and has not", id, was.Kind)
		case ended && *j.End != was:
			w.fail("job %d has ended as %+v, and as %+v", id, was, *j.End)
		case j.Ended():
			w.ends[id] = *j.End
		}
		w.mu.Unlock()
	}
}

// hear counts the ends that were told.
func (w *world) hear() {
	for _, e := range w.rec.Events() {
		switch e.Kind {
		case events.JobCompleted, events.JobFailed, events.JobDeadLettered, events.JobCancelled, events.JobSuperseded, events.JobExpired:
			w.told[persist.ID(e.Job.ID)]++
		}
	}
	w.rec.Reset()
}

// any returns one of the jobs that were acknowledged, or zero.
func (w *world) any() persist.ID {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last == 0 {
		return 0
	}
	id := persist.ID(w.rand.Uint64N(uint64(w.last)) + 1)
	if _, known := w.keys[id]; !known {
		return 0
	}
	return id
}

// options are those of one submission.
func (w *world) options() []persist.Option {
	opts := []persist.Option{persist.WithPriority([]persist.Priority{persist.High, persist.Normal, persist.Normal, persist.Idle}[w.rand.IntN(4)])}
	switch w.rand.IntN(6) {
	case 0:
		opts = append(opts, persist.WithDelay(time.Duration(w.rand.IntN(5))*time.Second))
	case 1:
		opts = append(opts, persist.WithTTL(time.Duration(1+w.rand.IntN(8))*time.Second))
	case 2:
		opts = append(opts, persist.WithTTLFromFirstAttempt(time.Duration(1+w.rand.IntN(8))*time.Second))
	case 3:
		if !w.crashes {
			opts = append(opts, persist.WithDurability(persist.Relaxed))
		}
	}
	return opts
}

func (w *world) step(t *testing.T) {
	switch n := w.rand.IntN(100); {
	case n < 55: // several at a time
		var group sync.WaitGroup
		for range 1 + w.rand.IntN(4) {
			key := []string{"", "a", "b", "c"}[w.rand.IntN(4)]
			how := []persist.Duplicates{persist.Skip, persist.Skip, persist.Supersede, persist.Reject}[w.rand.IntN(4)]
			opts := w.options()
			group.Go(func() { w.submit(key, how, opts...) })
		}
		if w.rand.IntN(4) == 0 {
			id := w.any()
			group.Go(func() { w.cancel(id) })
		}
		group.Wait()
	case n < 70:
		time.Sleep(time.Duration(w.rand.IntN(2500)) * time.Millisecond)
	case n < 78:
		w.cancel(w.any())
	case n < 86:
		w.revive(w.any())
	case n < 90:
		w.m.FailNext(1+w.rand.IntN(2), errDisk)
	case n < 93:
		w.unsure = true
		w.m.UnknownNext(w.rand.IntN(2) == 0)
		if w.rand.IntN(2) == 0 {
			w.m.FailSettle(w.rand.IntN(4), errDisk)
		}
	case n < 97:
		w.restart(t, w.crashes && w.rand.IntN(2) == 0)
	default:
		w.look()
	}
}

func (w *world) cancel(id persist.ID) {
	if id == 0 || w.Cancel(w.t.Context(), id) != nil {
		return
	}
	j, err := w.Job(w.t.Context(), id)
	if err != nil || !j.Ended() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.fail("job %d was cancelled, and is %+v, %v", id, j, err)
	}
}

func (w *world) revive(id persist.ID) {
	if id == 0 {
		return
	}
	w.look()
	w.mu.Lock()
	end, ended := w.ends[id]
	delete(w.ends, id)
	w.mu.Unlock()
	if err := w.Revive(w.t.Context(), id); err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		if ended && !errors.Is(err, persist.ErrUnknown) {
			w.ends[id] = end
		}
		return
	}
	w.revived[id]++
	if !ended || end.Kind == persist.Completed {
		w.fail("job %d was revived, which has ended as %v", id, end.Kind)
	}
}

func (w *world) restart(t *testing.T, crash bool) {
	w.look()
	if crash {
		w.m.Crash()
	}
	if err := w.stop(); err != nil && !crash {
		w.fail("stop: %v", err)
	}
	w.hear()
	w.begin(t, !crash)
	w.look()
}

// drain waits until nobody is left.
func (w *world) drain() {
	for range 1000 {
		synctest.Wait()
		c := w.Counts()
		if c[persist.Ready]+c[persist.Blocked]+c[persist.Delayed]+c[persist.Running]+c[persist.Parked] == 0 {
			return
		}
		if c[persist.Parked] > 0 {
			for id := range w.keys {
				_ = w.Release(w.t.Context(), id)
			}
		}
		time.Sleep(time.Second)
	}
	for id := range w.keys {
		if why, _ := w.Why(w.t.Context(), id); why.Phase != persist.Ended {
			w.fail("job %d is %v: %v", id, why.Phase, why)
		}
	}
}

// check looks at what has become of everything.
func (w *world) check() {
	w.look()
	w.hear()
	all, err := w.Past(w.t.Context(), persist.PastQuery{Limit: 1 << 20})
	if err != nil {
		w.t.Fatal(err)
	}
	unasked := 0
	jobs := map[persist.ID]*persist.Job{}
	for _, j := range all {
		jobs[j.ID] = j
		if _, known := w.keys[j.ID]; !known {
			unasked++
		}
	}
	if unasked > w.unknown {
		w.fail("%d jobs were not acknowledged, of %d at most", unasked, w.unknown)
	}
	for id := range w.keys {
		j := jobs[id]
		if j == nil {
			w.fail("job %d has not ended", id)
			continue
		}
		if n := w.told[id]; n > 1+w.revived[id] {
			w.fail("%d ends of job %d were told, which was revived %d times", n, id, w.revived[id])
		} else if n == 0 && !w.crashes && !w.unsure && w.revived[id] == 0 {
			w.fail("the end of job %d was not told", id)
		}
		if j.End.Kind == persist.Completed {
			for _, at := range w.does[id] {
				if starts := w.starts[id]; starts[len(starts)-1].Before(at) {
					w.fail("job %d was to do what was submitted after it ran last", id)
				}
			}
		}
		if len(w.starts[id]) > 0 && w.revived[id] == 0 {
			for _, other := range w.after[id] {
				if o := jobs[other]; o != nil && w.revived[other] == 0 && o.End.Seq > j.End.Seq {
					w.fail("job %d ran before job %d had ended, whose key it has", id, other)
				}
			}
		}
	}
}

func TestWhateverHappensWhatWasPromisedHolds(t *testing.T) {
	first, n := uint64(1), uint64(60)
	if testing.Short() {
		n = 10
	}
	for seed := first; seed < first+n; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, seed)
				for range 80 {
					w.step(t)
					if t.Failed() {
						break
					}
				}
				w.m.FailNext(0, nil)
				w.restart(t, false)
				w.drain()
				w.check()
				if err := w.stop(); err != nil {
					w.fail("stop: %v", err)
				}
			})
		})
	}
}
