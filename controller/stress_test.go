package controller_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestAStormOverThousandsOfKeysBreaksNoPromise(t *testing.T) {
	n := scaled(300_000) // or what can be done until it is enough: the race detector takes its time
	const callers, keys = 64, 4000
	c := controller.New(controller.Config{
		Name: "desk", Capacity: 2000, Depth: 200, TTL: 50 * time.Millisecond,
		Workers: supervisor.Config{Defaults: supervisor.Defaults{Backoff: policy.Constant(time.Millisecond), Grace: 20 * time.Second}},
	})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	if err := c.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}

	k := newChecker(keys)
	until := time.Now().Add(5 * time.Second)
	var wg sync.WaitGroup
	subs := make([][]*tracked, callers)
	for i := range callers {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(i), 3))
			for j := range n / callers {
				if time.Now().After(until) {
					return
				}
				if sub := k.submit(ctx, t, c, rnd, i, j); sub != nil {
					subs[i] = append(subs[i], sub)
				}
				k.meddle(ctx, c, rnd, subs[i])
			}
		})
	}
	watched := make(chan struct{})
	go func() { // the listings are consistent in the midst of it
		defer close(watched)
		for ctx.Err() == nil {
			snap := c.Snapshot()
			owners, queued, parked := count(snap)
			if owners != snap.Owners || queued != snap.Queued || parked != snap.Parked {
				t.Errorf("%d, %d and %d are listed of %d, %d and %d", owners, queued, parked, snap.Owners, snap.Queued, snap.Parked)
			}
			<-time.After(50 * time.Millisecond)
		}
	}()
	wg.Wait()

	// Those that only hang are to be told; the rest comes to its end.
	for key := range keys {
		if err := c.Stop(context.Background(), fmt.Sprint(key)); err != nil && !errors.As(err, new(*supervisor.StopError)) {
			t.Error(err)
		}
	}
	if snap := c.Snapshot(); len(snap.Slots) > 0 || snap.Owners+snap.Queued+snap.Parked > 0 {
		t.Errorf("left: %+v", snap)
	}
	fates := map[string]int{}
	total := 0
	for _, some := range subs {
		for _, sub := range some {
			total++
			fates[sub.check(t)]++
		}
	}
	t.Logf("%d submissions: %v", total, fates)
	wantTotals(t, c, total, fates)

	stop()
	if err := <-ended; err != nil && !errors.As(err, new(*supervisor.StopError)) {
		t.Error(err)
	}
	<-watched
	close(k.gate)
	k.deaf.Wait()
	leaks := c.Head().Leaks()
	for looks := 0; len(leaks) > 0 && looks < 1000; looks++ { // they have still to return
		runtime.Gosched()
		leaks = c.Head().Leaks()
	}
	if len(leaks) > 0 {
		t.Errorf("left behind: %v", leaks)
	}
}

// wantTotals checks that the figures add up to the outcomes.
func wantTotals(t *testing.T, c *controller.Controller, total int, fates map[string]int) {
	t.Helper()
	rejected := 0
	got := figures(t, c)
	for why := events.ReasonBusy; why <= events.ReasonDuplicate; why++ {
		n := int(got["controller_rejected_total desk "+why.String()])
		equal(t, why.String(), n, fates["rejected "+why.String()])
		rejected += n
	}
	equal(t, "entered and rejected", int(got["controller_entered_total desk"])+rejected, total)
	for _, gauge := range []string{"slots", "owners", "queued", "parked"} {
		equal(t, gauge, got["controller_"+gauge+" desk"], 0)
	}
}

// submit makes one submission of whatever kind the dice say.
func (k *checker) submit(ctx context.Context, t *testing.T, c *controller.Controller, rnd *rand.Rand, i, j int) *tracked {
	key := rnd.IntN(len(k.keys))
	if rnd.IntN(2) == 0 {
		key %= 64 // where it is crowded
	}
	sub := &tracked{on: &k.keys[key], caller: i, seq: j}
	spec := actor.Spec{Name: fmt.Sprint(i, "-", j), Restart: policy.OnFailure, MaxRetries: 2}
	if rnd.IntN(50) == 0 {
		spec.Name = "twin"
	}
	kind := rnd.IntN(8)
	admission := controller.Admission(rnd.IntN(3))
	if sub.on.isQueue {
		admission, kind = controller.Queue, min(kind, 4)
	}
	switch {
	case kind == 7 && rnd.IntN(n7) == 0:
		spec.Grace, spec.OnStuck = time.Millisecond, policy.StuckAbandon
		spec.Task = sub.task(k.abandoned)
	case kind == 7 && rnd.IntN(n7) == 0:
		spec.Grace, spec.OnStuck = time.Millisecond, policy.StuckWait
		spec.Task = sub.task(stuck)
	case kind >= 5:
		spec.Task = sub.task(hangs)
	default:
		spec.Task = sub.task(quick[kind])
	}
	if rnd.IntN(100) == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
	}
	ticket, err := c.Prepare(controller.Submission{Key: fmt.Sprint(key), Admission: admission, Spec: spec})
	if err != nil {
		t.Error(err)
		return nil
	}
	sub.h = ticket.Handle()
	if err := ticket.Submit(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	} else if err != nil {
		if _, ok := sub.h.Outcome(); !ok {
			return nil // its context had ended before: nothing was done
		}
	}
	return sub
}

// n7 makes those rare that outlive their grace: each costs a profile.
const n7 = 200

// meddle does this and that to what others have submitted.
func (k *checker) meddle(ctx context.Context, c *controller.Controller, rnd *rand.Rand, mine []*tracked) {
	short, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
	defer cancel()
	key := rnd.IntN(len(k.keys))
	name := fmt.Sprint(key)
	switch rnd.IntN(40) {
	case 0:
		c.Purge(name)
	case 1:
		_ = c.Stop(short, name)
	case 2:
		_ = c.Stop(short, fmt.Sprint(key%64))
	case 3, 4:
		if len(mine) > 0 {
			_ = c.Cancel(short, mine[len(mine)-1-rnd.IntN(min(len(mine), 20))].h.ID())
		}
	case 5:
		if !k.keys[key].isQueue {
			_ = c.SetWidth(name, rnd.IntN(maxWidth+1))
		}
	case 6:
		c.Slot(name)
	}
}
