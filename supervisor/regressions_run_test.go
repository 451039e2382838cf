package supervisor_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/recorder"
	"github.com/taskvisor/taskvisor/supervisor"
)

func aloneIdle(ctx context.Context) error { <-ctx.Done(); return nil }

func aloneRun(s *supervisor.Supervisor) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	return func() error { cancel(); return <-ended }
}

func TestSupervisorsBelowDoNotShareTheirStartTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := actor.Func(func(ctx context.Context) error {
			select {
			case <-time.After(2 * time.Minute):
			case <-ctx.Done():
				return nil
			}
			actor.Ready(ctx)
			<-ctx.Done()
			return nil
		})
		a := supervisor.New(supervisor.Config{})
		b := supervisor.New(supervisor.Config{Children: []actor.Spec{{Name: "slow", Task: slow, AwaitReady: true, StartTimeout: 5 * time.Minute}}})
		app := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{a.Spec("a"), b.Spec("b")}})
		stop := aloneRun(app)
		time.Sleep(3 * time.Minute)
		if tr := app.Tree(); !tr.Ready {
			t.Errorf("not ready: %v", tr.State)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

type aloneErr struct{ s *supervisor.Supervisor }

func (e aloneErr) Error() string { return fmt.Sprint("tree is ", e.s.Tree().State) }

func TestTheTextOfAnErrorIsNotMadeUnderTheLock(t *testing.T) {
	var app *supervisor.Supervisor
	app = supervisor.New(supervisor.Config{EndWhenEmpty: true, Children: []actor.Spec{{Name: "a", Restart: policy.Never,
		Task: actor.Func(func(ctx context.Context) error { return aloneErr{app} })}}})
	done := make(chan error, 1)
	go func() { done <- app.Run(context.Background()) }()
	select {
	case <-done:
	case <-time.After(2 * time.Second):
		t.Error("deadlock")
	}
}

type aloneFam struct {
	*supervisor.Supervisor
	in atomic.Bool
}

func (f *aloneFam) Head() *supervisor.Supervisor {
	if f.in.Load() {
		_, _ = f.Handle("x")
	}
	return f.Supervisor
}

func (f *aloneFam) Run(ctx context.Context) error {
	f.in.Store(true)
	defer f.in.Store(false)
	return f.Supervisor.Run(ctx)
}

func TestAFamilyMayLockAndAskWhenItSaysItsHead(t *testing.T) {
	inner := supervisor.New(supervisor.Config{Children: []actor.Spec{{Name: "x", Task: actor.Func(aloneIdle)}}})
	f := &aloneFam{Supervisor: inner}
	app := supervisor.New(supervisor.Config{Children: []actor.Spec{{Name: "f", Task: f}}})
	go app.Run(context.Background())
	ctx, c := context.WithTimeout(context.Background(), 2*time.Second)
	defer c()
	if err := app.WaitReady(ctx); err != nil {
		t.Error("deadlock: ", err)
	}
}

func TestAFailureDuringAStopRestartsNoGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen recorder.Recorder
		fail := make(chan struct{})
		a := actor.Func(func(ctx context.Context) error { <-fail; return errors.New("x") })
		b := actor.Func(func(ctx context.Context) error { <-ctx.Done(); time.Sleep(5 * time.Second); return nil })
		app := supervisor.New(supervisor.Config{Name: "app", Strategy: supervisor.RestForOne,
			Intensity:   policy.Intensity{Within: time.Minute, Restarts: 1},
			Children:    []actor.Spec{{Name: "a", Task: a}, {Name: "b", Task: b}},
			Subscribers: []events.Subscriber{seen.Subscriber()}})
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- app.Run(ctx) }()
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(fail)
		synctest.Wait()
		if s := app.Tree().State; s != supervisor.StateStopping {
			t.Errorf("state is %v", s)
		}
		if n := seen.Count(events.GroupRestarting); n != 0 {
			t.Errorf("%d group_restarting after supervisor_stopping", n)
		}
		<-ended
	})
}

func TestAFailureDuringAStopExceedsNoLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen recorder.Recorder
		fail := make(chan struct{})
		a := actor.Func(func(ctx context.Context) error { <-fail; return errors.New("x") })
		b := actor.Func(func(ctx context.Context) error { <-ctx.Done(); time.Sleep(5 * time.Second); return nil })
		app := supervisor.New(supervisor.Config{Name: "app", Strategy: supervisor.RestForOne,
			Intensity:   policy.Intensity{Within: time.Minute},
			Children:    []actor.Spec{{Name: "a", Task: a}, {Name: "b", Task: b}},
			Subscribers: []events.Subscriber{seen.Subscriber()}})
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- app.Run(ctx) }()
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(fail)
		err := <-ended
		if n := seen.Count(events.IntensityExceeded); n != 0 && err == nil {
			t.Errorf("%d intensity_exceeded, and Run returned nil", n)
		}
	})
}

func TestAGroupRestartDuringALameDuckDelayIsNotReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fail := make(chan struct{})
		var once sync.Once
		a := actor.Func(func(ctx context.Context) error {
			first := false
			once.Do(func() { first = true })
			if first {
				<-fail
				return errors.New("x")
			}
			<-ctx.Done()
			return nil
		})
		app := supervisor.New(supervisor.Config{Name: "app", Strategy: supervisor.OneForAll, LameDuck: 20 * time.Second,
			Children: []actor.Spec{{Name: "a", Task: a}, {Name: "b", Task: actor.Func(aloneIdle)}}})
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- app.Run(ctx) }()
		synctest.Wait()
		cancel()
		synctest.Wait()
		if app.Tree().Ready {
			t.Error("ready at once")
		}
		close(fail)
		time.Sleep(5 * time.Second)
		if tr := app.Tree(); tr.Ready || tr.State != supervisor.StateStopping {
			t.Errorf("in the lame-duck delay: ready=%v state=%v", tr.Ready, tr.State)
		}
		<-ended
	})
}

func TestASubscriberThatIsRefusedStopsWhatHasStarted(t *testing.T) {
	bus := &events.Bus{}
	_, _ = bus.Subscribe(events.Subscriber{Name: "z", Handler: events.HandlerFunc(func(events.Event) {})})
	subs := []events.Subscriber{}
	for i := range 200 {
		subs = append(subs, events.Subscriber{Name: fmt.Sprint(i), Handler: events.HandlerFunc(func(events.Event) {})})
	}
	subs = append(subs, events.Subscriber{Name: "z", Handler: events.HandlerFunc(func(events.Event) {})})
	app := supervisor.New(supervisor.Config{Name: "app", Bus: bus, Subscribers: subs})

	// Whoever gets in between the beginning of a run and the refusal is stopped.
	for range 15 {
		ended := make(chan error, 1)
		go func() { ended <- app.Run(context.Background()) }()
		var handles []*actor.Handle
		var err error
		for n := 0; err == nil; n++ {
			h, startErr := app.Start(context.Background(), actor.Spec{Name: fmt.Sprint(n), Task: actor.Func(aloneIdle)})
			if startErr == nil {
				handles = append(handles, h)
			}
			select {
			case err = <-ended:
			default:
				runtime.Gosched()
			}
		}
		if !errors.Is(err, events.ErrDuplicate) {
			t.Fatalf("Run returned %v", err)
		}
		for _, h := range handles {
			if _, ok := h.Outcome(); !ok {
				t.Fatal("Run has returned, and a child that it had admitted has no outcome")
			}
		}
	}
}

func TestAHandleThatIsKeptKeepsNoOtherChild(t *testing.T) {
	app := supervisor.New(supervisor.Config{Name: "app"})
	stop := aloneRun(app)
	defer stop()
	for app.Tree().State != supervisor.StateRunning {
		time.Sleep(time.Millisecond)
	}
	start := func(i int) (*actor.Handle, chan struct{}) {
		c := make(chan struct{})
		h, err := app.Start(context.Background(), actor.Spec{Name: fmt.Sprint(i), Task: actor.Func(func(ctx context.Context) error { <-c; return nil })})
		if err != nil {
			t.Fatal(err)
		}
		return h, c
	}
	kept, c := start(0)
	var weaks []weak.Pointer[actor.Handle]
	prev, pc := kept, c
	for i := 1; i < 1000; i++ {
		h, hc := start(i)
		close(pc)
		<-prev.Done()
		weaks = append(weaks, weak.Make(h))
		prev, pc = h, hc
	}
	close(pc)
	<-prev.Done()
	prev = nil
	runtime.GC()
	runtime.GC()
	n := 0
	for _, w := range weaks {
		if w.Value() != nil {
			n++
		}
	}
	if n > 10 {
		t.Errorf("%d of %d ended children are still in memory", n, len(weaks))
	}
	runtime.KeepAlive(kept)
}

func TestASupervisorBelowDumpsWhatIsBelowIt(t *testing.T) {
	inner := supervisor.New(supervisor.Config{Children: []actor.Spec{{Name: "x", Task: actor.Func(aloneIdle)}}})
	app := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{inner.Spec("in")}})
	stop := aloneRun(app)
	defer stop()
	_ = app.WaitReady(context.Background())
	time.Sleep(20 * time.Millisecond)
	var b, c bytes.Buffer
	app.Dump(&b)
	inner.Dump(&c)
	if strings.Contains(b.String(), "aloneIdle") != strings.Contains(c.String(), "aloneIdle") {
		t.Errorf("root:\n%s\nbelow:\n%s", b.String(), c.String())
	}
}

func TestADeadlineOfAnEarlierLifeDoesNotHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		polite := actor.Func(func(ctx context.Context) error { <-ctx.Done(); time.Sleep(time.Second); return nil })
		inner := supervisor.New(supervisor.Config{Children: []actor.Spec{{Name: "x", Task: polite}}})
		app := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{inner.Spec("in")}})
		stop := aloneRun(app)
		synctest.Wait()
		if err := stop(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Hour)
		byHand := make(chan error, 1)
		app2 := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{{Name: "t", Task: actor.Func(func(ctx context.Context) error {
			err := inner.Run(ctx)
			byHand <- err
			return err
		})}}})
		stop2 := aloneRun(app2)
		synctest.Wait()
		_ = stop2()
		if err := <-byHand; err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
	})
}

func TestASupervisorThatIsNotReadyInTimeWaitsForItsStuckTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int32
		release := make(chan struct{})
		boom := make(chan struct{})
		hang := actor.Func(func(ctx context.Context) error {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			<-release
			return nil
		})
		var lives atomic.Int32
		late := actor.Func(func(ctx context.Context) error {
			if lives.Add(1) == 1 {
				actor.Ready(ctx)
				<-boom
				return actor.Escalate(errors.New("boom"))
			}
			<-ctx.Done()
			return nil
		})
		_ = hang
		var h atomic.Int32
		hung := actor.Func(func(ctx context.Context) error {
			if h.Add(1) == 1 {
				<-ctx.Done()
				return nil
			}
			return hang(ctx)
		})
		inner := supervisor.New(supervisor.Config{Children: []actor.Spec{{Name: "hung", Task: hung}, {Name: "late", Task: late, AwaitReady: true, StartTimeout: time.Hour}}})
		spec := inner.Spec("in")
		spec.StartTimeout = 30 * time.Second
		app := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{spec}})
		stop := aloneRun(app)
		synctest.Wait()
		close(boom)
		time.Sleep(5 * time.Minute)
		if most.Load() > 1 {
			t.Errorf("%d of one task at a time", most.Load())
		}
		close(release)
		_ = stop()
		time.Sleep(time.Minute)
	})
}

func TestAChildThatWaitsForAPermitHasItsOwnLabel(t *testing.T) {
	var app *supervisor.Supervisor
	started := make(chan struct{})
	app = supervisor.New(supervisor.Config{Name: "app", Concurrency: 1, Children: []actor.Spec{{Name: "a", Task: actor.Func(func(ctx context.Context) error {
		_, _ = app.Start(ctx, actor.Spec{Name: "d", Task: actor.Func(aloneIdle)})
		close(started)
		<-ctx.Done()
		return nil
	})}}})
	stop := aloneRun(app)
	defer stop()
	<-started
	time.Sleep(50 * time.Millisecond)
	n := 0
	for _, g := range actor.Goroutines() {
		if g.Path == "/app/a" {
			n += g.Count
			t.Log(g.Stack)
		}
	}
	if n != 1 {
		t.Errorf("%d goroutines are said to be of /app/a", n)
	}
}

func TestAGroupRestartRemembersAnElderThatIsNotReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lives atomic.Int32
		a := actor.Func(func(ctx context.Context) error {
			if lives.Add(1) > 1 {
				select {
				case <-time.After(20 * time.Second):
				case <-ctx.Done():
					return nil
				}
			}
			actor.Ready(ctx)
			<-ctx.Done()
			return nil
		})
		fail := make(chan struct{}, 1)
		b := actor.Func(func(ctx context.Context) error {
			select {
			case <-fail:
				return errors.New("x")
			case <-ctx.Done():
				return nil
			}
		})
		app := supervisor.New(supervisor.Config{Name: "app", Strategy: supervisor.RestForOne,
			Children: []actor.Spec{{Name: "a", Task: a, AwaitReady: true}, {Name: "b", Task: b}, {Name: "c", Task: actor.Func(aloneIdle)}}})
		stop := aloneRun(app)
		synctest.Wait()
		_ = app.Stop(context.Background(), "a")
		_, _ = app.Restart(context.Background(), "a")
		fail <- struct{}{}
		time.Sleep(5 * time.Second)
		ch := app.Children()
		if !ch[0].Ready && ch[1].State == supervisor.StateRunning && ch[1].Attempt == 2 {
			t.Errorf("b was started again, and a is %v", ch[0].State)
		}
		_ = stop()
	})
}

func TestTasksOfASupervisorRunByHandAreNoLeaks(t *testing.T) {
	inner := supervisor.New(supervisor.Config{Name: "in", Children: []actor.Spec{{Name: "x", Task: actor.Func(aloneIdle)}}})
	app := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{{Name: "t", Task: actor.Func(func(ctx context.Context) error { return inner.Run(ctx) })}}})
	stop := aloneRun(app)
	defer stop()
	_ = inner.WaitReady(context.Background())
	time.Sleep(50 * time.Millisecond)
	for _, l := range app.Leaks() {
		t.Errorf("leak: %s", l.Path)
	}
}

func TestNoSubscriberOfTheConfigOutlivesRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var handled atomic.Int32
		app := supervisor.New(supervisor.Config{Name: "app",
			Children:    []actor.Spec{{Name: "a", Restart: policy.Always, Task: actor.Func(func(context.Context) error { time.Sleep(time.Millisecond); return nil })}},
			Subscribers: []events.Subscriber{{Name: "slow", Handler: events.HandlerFunc(func(events.Event) { time.Sleep(time.Second); handled.Add(1) })}}})
		stop := aloneRun(app)
		time.Sleep(time.Second)
		_ = stop()
		n := handled.Load()
		time.Sleep(time.Minute)
		if m := handled.Load(); m > n+1 {
			t.Errorf("%d events were handled in the minute after Run had returned", m-n)
		}
	})
}
