package persist_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/boltstore"
	"github.com/taskvisor/taskvisor/persist/memstore"
)

var relaxed = persist.WithDurability(persist.Relaxed)

// What there is no room for together is stored one after the other, as far as there is room.
func TestRelaxedSubmissionsAreStoredAsFarAsThereIsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memstore.New()
		r := hang(t, persist.Config{Store: m, Workers: persist.NoWorkers, RelaxedDelay: time.Millisecond})
		waits := r.submit("waits")
		m.Limit(6)
		for i := range 10 {
			r.submit(fmt.Sprint(i), relaxed)
		}
		elapse(10 * time.Second)
		isError(t, "a strict one", submitted(r, "strict"), persist.ErrFull)
		isError(t, "a relaxed one", submitted(r, "relaxed", relaxed), persist.ErrFull)
		isError(t, "cancel of what is stored", r.Cancel(t.Context(), waits), nil)
		isError(t, "cancel of what is not", r.Cancel(t.Context(), 11), persist.ErrFull)
		elapse(time.Second)
		same(t, "told", []int{r.told(events.StoreFailed), r.told(events.StoreRecovered)}, []int{1, 0})
		m.Limit(0)
		elapse(time.Second)
		same(t, "told", []int{r.told(events.StoreFailed), r.told(events.StoreRecovered)}, []int{1, 1})
		isError(t, "with room", submitted(r, "strict"), nil)
		isError(t, "run", r.halt(), nil)
		r = hang(t, persist.Config{Store: m, Workers: persist.NoWorkers})
		same(t, "stored", r.Counts()[persist.Ready], 11)
	})
}

func submitted(r *rig, in string, opts ...persist.Option) error {
	_, err := chore.Submit(r.t.Context(), r.Queue, in, opts...)
	return err
}

// What has run and ended before there was room for it makes no room by itself, and is stored in its
// turn all the same.
func TestRelaxedJobsThatHaveEndedBeforeThereWasRoomAreStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memstore.New()
		m.Limit(3)
		r := hang(t, persist.Config{Store: m, Workers: persist.NoWorkers, RelaxedDelay: time.Second, Handlers: []persist.Handler{
			chore.Handle(func(context.Context, string) error { return nil }),
		}})
		for i := range 50 {
			r.submit(fmt.Sprint(i), relaxed)
		}
		isError(t, "workers", r.SetWorkers(4), nil)
		elapse(10 * time.Second)
		same(t, "completed", r.figure("queue_ended_total", "completed"), 50)
		isError(t, "one more", submitted(r, "more"), nil)
		elapse(time.Second)
		isError(t, "run", r.halt(), nil)
	})
}

func TestRelaxedSubmissionsDoNotStopASmallFile(t *testing.T) {
	typ := persist.Define[[]byte]("big", persist.WithoutKey())
	q := persist.New(persist.Config{
		Store:   boltstore.File(filepath.Join(t.TempDir(), "jobs.db"), boltstore.Options{MaxSize: 4 << 20, NoSync: true}),
		History: 1, RelaxedDelay: time.Second,
		Handlers: []persist.Handler{typ.Handle(func(context.Context, []byte) error { return nil })},
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- q.Run(ctx) }()
	isError(t, "ready", q.WaitReady(ctx), nil)
	var taken []persist.ID
	for range 300 {
		result, err := typ.Submit(ctx, q, make([]byte, 20_000), relaxed)
		if err != nil {
			break // they have taken longer than that
		}
		taken = append(taken, result.ID)
	}
	for _, id := range taken {
		if _, err := q.Await(ctx, id); err != nil && !errors.Is(err, persist.ErrPruned) {
			t.Fatal(err)
		}
	}
	_, err := typ.Submit(ctx, q, []byte("small"))
	isError(t, "a small one", err, nil)
	cancel()
	isError(t, "run", <-ended, nil)
}

// What is larger than there will ever be room for is refused, and stops nothing.
func TestARelaxedSubmissionThatIsTooLargeForTheFileIsRefused(t *testing.T) {
	q := persist.New(persist.Config{
		Store:      boltstore.File(filepath.Join(t.TempDir(), "jobs.db"), boltstore.Options{MaxSize: 4 << 20, NoSync: true}),
		MaxPayload: 8 << 20, Workers: persist.NoWorkers, RelaxedDelay: time.Millisecond,
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- q.Run(ctx) }()
	isError(t, "ready", q.WaitReady(ctx), nil)
	for _, row := range []struct {
		size int
		err  error
	}{{5 << 20, persist.ErrFull}, {1000, nil}, {900 << 10, nil}} {
		_, err := q.Submit(ctx, persist.Raw("blob", make([]byte, row.size), persist.WithoutKey(), relaxed))
		isError(t, fmt.Sprint(row.size, " bytes"), err, row.err)
	}
	cancel()
	isError(t, "run", <-ended, nil)
}

// Who finds no room keeps out nobody who does, or needs none.
func TestOneForWhomThereIsNoRoomDoesNotKeepOutOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memstore.New()
		r := hang(t, persist.Config{Store: m, Workers: persist.NoWorkers, Handlers: newStage().handlers()})
		a := r.submit("a")
		m.Limit(3)
		g := hold(m)
		answers := map[string]chan error{}
		ask := func(name string, f func() error) {
			c := make(chan error, 1)
			answers[name] = c
			go func() { c <- f() }()
			synctest.Wait()
		}
		ask("first", func() error { return submitted(r, "first") })
		g.arrive()
		ask("large", func() error { _, err := chore.SubmitAll(t.Context(), r.Queue, make([]string, 50)); return err })
		ask("small", func() error { return submitted(r, "small") })
		ask("too many", func() error { return submitted(r, "too many") })
		ask("cancel", func() error { return r.Cancel(t.Context(), a) })
		ask("release", func() error { return r.Release(t.Context(), a) })
		g.end(nil)
		isError(t, "first", <-answers["first"], nil)
		isError(t, "large", <-answers["large"], persist.ErrFull)
		isError(t, "small", <-answers["small"], nil)
		isError(t, "cancel", <-answers["cancel"], nil)
		isError(t, "release", <-answers["release"], persist.ErrNotParked)
		// It comes in after the cancel, in the place of what has ended.
		<-answers["too many"]
	})
}

// mute is an error that is asked for its text between the gathering and the planning of a commit.
type mute struct{ asked func() }

func (m *mute) Error() string { m.asked(); return "" }

// between has f called after the writer has gathered what act has handed in, and before it decides.
func between(t *testing.T, cfg persist.Config, act func(*rig) error, f func(*rig)) (*rig, error) {
	t.Helper()
	var armed atomic.Bool
	var r *rig
	out := make(chan struct{})
	err := &mute{func() {
		if armed.CompareAndSwap(true, false) {
			f(r)
		}
	}}
	odd := persist.Define[string]("odd", persist.WithoutKey())
	cfg.Workers = 1
	cfg.Handlers = append(cfg.Handlers, odd.Handle(func(context.Context, string) error { <-out; return err }))
	r = hang(t, cfg)
	_ = must(t)(odd.Submit(t.Context(), r.Queue, "", persist.WithMaxRetries(0)))
	synctest.Wait()
	g := hold(r.mem)
	go func() { _ = submitted(r, "held up", persist.WithDelay(time.Hour)) }()
	g.arrive()
	answer := make(chan error, 1)
	go func() { answer <- act(r) }()
	synctest.Wait()
	close(out)
	synctest.Wait()
	armed.Store(true)
	g.end(nil)
	return r, <-answer
}

func TestACancelOfARelaxedJobIsNotStoredBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memstore.New()
		const id = 3
		r, err := between(t, persist.Config{Store: m},
			func(r *rig) error { return r.Cancel(t.Context(), id) },
			func(r *rig) { same(t, "relaxed", r.submit("it", relaxed, persist.WithDelay(time.Hour)), id) })
		isError(t, "cancel", err, nil)
		elapse(time.Second)
		same(t, "ended", r.look(id).Ended(), true)
		_ = r.halt()
		r = hang(t, persist.Config{Store: m})
		same(t, "ended after a restart", r.look(id).Ended(), true)
	})
}

func TestARelaxedUpgradeDoesNotUndoWhatIsStoredWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memstore.New()
		keyed := persist.Define[string]("keyed")
		cfg := func() persist.Config {
			return persist.Config{Store: m, Crashes: 1, Handlers: []persist.Handler{
				keyed.Handle(func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }),
			}}
		}
		r := hang(t, cfg())
		a := must(t)(keyed.Submit(t.Context(), r.Queue, "x")).ID
		for range 2 { // the second time alone
			elapse(time.Second)
			r.crash()
			r = hang(t, cfg())
		}
		same(t, "reason", r.why(a).Reason, persist.WaitsForRelease)
		isError(t, "halt", r.halt(), nil)
		r, err := between(t, cfg(),
			func(r *rig) error { return r.Release(t.Context(), a) },
			func(r *rig) {
				res := must(t)(keyed.Submit(t.Context(), r.Queue, "x", persist.WithPriority(persist.High), relaxed))
				same(t, "upgraded", res.Kind, persist.Upgraded)
				_ = r.SetWorkers(persist.NoWorkers)
			})
		isError(t, "release", err, nil)
		elapse(time.Minute)
		isError(t, "halt", r.halt(), nil)
		c := cfg()
		c.Workers = persist.NoWorkers
		r = hang(t, c)
		same(t, "parked after a restart", r.why(a).Reason == persist.WaitsForRelease, false)
		same(t, "priority", r.look(a).State.Priority, persist.High)
	})
}

func TestRelaxedJobsAreBoundedByTheirSizeToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memstore.New()
		r := hang(t, persist.Config{Store: m, Workers: persist.NoWorkers, RelaxedDelay: time.Hour})
		g := hold(m)
		go func() { _ = submitted(r, "first") }()
		g.arrive()
		go func() { _ = submitted(r, "strict") }()
		synctest.Wait()
		payload, accepted := make([]byte, 256<<10), 0
		for range 400 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if _, err := r.Submit(ctx, persist.Raw("blob", payload, persist.WithoutKey(), relaxed)); err == nil {
				accepted++
			}
			cancel()
		}
		if n := accepted * len(payload) >> 20; n == 0 || n > 16 {
			t.Errorf("%d MiB were accepted", n)
		}
		most, stored := 0, 0
		m.BeforeCommit(func(_ context.Context, steps []persist.Step) error {
			n := 0
			for i := range steps {
				if steps[i].Record != nil {
					n += len(steps[i].Record.Payload)
				}
			}
			most, stored = max(most, n), stored+n
			return nil
		})
		g.open <- nil
		elapse(time.Minute)
		if most > 4<<20+len(payload) {
			t.Errorf("%d bytes were stored together", most)
		}
		if stored < accepted*len(payload) {
			t.Errorf("%d bytes were stored of %d", stored, accepted*len(payload))
		}
		r.submit("again", relaxed)
	})
}

// Many that wait have a part of the file kept for their ends, and what is remembered makes room for that too.
func TestAFileFullOfHistoryTakesManySmallJobs(t *testing.T) {
	big := persist.Define[[]byte]("big", persist.WithoutKey())
	small := persist.Define[int]("small", persist.WithoutKey(), persist.WithDelay(time.Hour))
	q := persist.New(persist.Config{
		Store:    boltstore.File(filepath.Join(t.TempDir(), "jobs.db"), boltstore.Options{MaxSize: 16 << 20, NoSync: true}),
		Handlers: []persist.Handler{big.Handle(func(context.Context, []byte) error { return nil })},
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- q.Run(ctx) }()
	isError(t, "ready", q.WaitReady(ctx), nil)
	for range 30 {
		in := make([][]byte, 100)
		for i := range in {
			in[i] = make([]byte, 2500)
		}
		results, err := big.SubmitAll(ctx, q, in)
		isError(t, "submit", err, nil)
		if _, err := q.Await(ctx, results[len(results)-1].ID); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	for err == nil {
		_, err = small.SubmitAll(ctx, q, make([]int, 500))
	}
	isError(t, "at last", err, persist.ErrFull)
	same(t, "remembered", q.Counts()[persist.Ended], 0)
	cancel()
	isError(t, "run", <-ended, nil)
}

// A commit of which it is found out that it has failed is not one of which nobody knows.
func TestWhatIsKnownNotToBeStoredIsNotUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memstore.New()
		r := hang(t, persist.Config{Store: m, Workers: persist.NoWorkers})
		m.FailNext(1, fmt.Errorf("disk: %w: %w", persist.ErrUnknown, errOops))
		err := submitted(r, "x")
		isError(t, "submit", err, errOops)
		if errors.Is(err, persist.ErrUnknown) {
			t.Errorf("submit: %v", err)
		}
	})
}

// Who asks for something is not kept waiting by what waits for room.
func TestWhoFindsNoRoomIsToldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memstore.New()
		m.Limit(1)
		r := hang(t, persist.Config{Store: m, Workers: persist.NoWorkers, RelaxedDelay: time.Millisecond})
		r.loose = true
		a := r.submit("a", relaxed)
		r.submit("b", relaxed)
		elapse(10*time.Second + 5*time.Millisecond)
		began := time.Now()
		isError(t, "submit", submitted(r, "c"), persist.ErrFull)
		isError(t, "cancel", r.Cancel(t.Context(), a), nil)
		same(t, "took", time.Since(began), "0s")
	})
}
