package recorder_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/subscribers/recorder"
	"github.com/taskvisor/taskvisor/supervisor"
)

func event(k events.Kind, path string) events.Event { return events.Event{Kind: k, Path: path} }

func TestWhatIsRecordedIsThereInOrder(t *testing.T) {
	var r recorder.Recorder
	all := []events.Event{
		event(events.TaskAdded, "/a"),
		event(events.TaskAdded, "/a/b"),
		event(events.TaskReady, "/a"),
	}
	for _, e := range all {
		r.Handle(e)
	}

	if got := r.Events(); !slices.Equal(got, all) {
		t.Errorf("Events are %v", got)
	}
	if got, want := r.Kinds(), []events.Kind{events.TaskAdded, events.TaskAdded, events.TaskReady}; !slices.Equal(got, want) {
		t.Errorf("Kinds are %v, want %v", got, want)
	}
	if got, want := r.Of("/a"), []events.Event{all[0], all[2]}; !slices.Equal(got, want) {
		t.Errorf("of /a are %v, want %v", got, want)
	}
	for kind, want := range map[events.Kind]int{events.TaskAdded: 2, events.TaskReady: 1, events.TaskStuck: 0} {
		if got := r.Count(kind); got != want {
			t.Errorf("%d of %v, want %d", got, kind, want)
		}
	}
}

func TestTheSliceOfEventsIsTheCallersOwn(t *testing.T) {
	var r recorder.Recorder
	r.Handle(event(events.TaskAdded, "/a"))
	r.Events()[0].Path = "/b"
	if got := r.Events()[0].Path; got != "/a" {
		t.Errorf("a caller has changed the path to %s", got)
	}
}

func TestLimit(t *testing.T) {
	for _, row := range []struct {
		sentence string
		limit    int
		handled  int
		dropped  uint64
	}{
		{"up to the limit nothing is dropped", 3, 3, 0},
		{"beyond it each new one drops one", 3, 10, 7},
		{"zero means the default", 0, recorder.DefaultLimit + 1, 1},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			r := recorder.Recorder{Limit: row.limit}
			for i := range row.handled {
				r.Handle(events.Event{Kind: events.TaskAdded, Seq: uint64(i + 1)})
			}
			if got := r.Dropped(); got != row.dropped {
				t.Errorf("dropped %d, want %d", got, row.dropped)
			}
			kept := r.Events()
			if first := kept[0].Seq; first != row.dropped+1 {
				t.Errorf("the first kept is #%d, so it was not the oldest that were dropped", first)
			}
			if n := uint64(len(kept)) + row.dropped; n != uint64(row.handled) {
				t.Errorf("kept and dropped are %d of %d", n, row.handled)
			}
		})
	}
}

func TestResetForgets(t *testing.T) {
	r := recorder.Recorder{Limit: 1}
	r.Handle(event(events.TaskAdded, "/a"))
	r.Handle(event(events.TaskAdded, "/b"))
	r.Reset()
	if got, dropped := r.Events(), r.Dropped(); len(got) != 0 || dropped != 0 {
		t.Errorf("still there: %v, and %d dropped", got, dropped)
	}
	r.Handle(event(events.TaskReady, "/c"))
	if got := r.Kinds(); !slices.Equal(got, []events.Kind{events.TaskReady}) {
		t.Errorf("after that it has %v", got)
	}
}

func TestWaitReturnsTheFirstThatWasRecorded(t *testing.T) {
	var r recorder.Recorder
	r.Handle(event(events.TaskAdded, "/a"))
	r.Handle(event(events.TaskReady, "/b"))
	r.Handle(event(events.TaskReady, "/c"))

	e, err := r.WaitKind(t.Context(), events.TaskReady, "")
	if err != nil || e.Path != "/b" {
		t.Errorf("of any path: %v, %v", e, err)
	}
	e, err = r.WaitKind(t.Context(), events.TaskReady, "/c")
	if err != nil || e.Path != "/c" {
		t.Errorf("of /c: %v, %v", e, err)
	}
}

func TestWaitReturnsTheFirstToCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder.Recorder
		r.Handle(event(events.TaskReady, "/early"))
		go func() {
			time.Sleep(time.Second)
			r.Handle(event(events.TaskReady, "/other"))
			time.Sleep(time.Second)
			r.Handle(event(events.TaskReady, "/a"))
		}()
		began := time.Now()
		e, err := r.WaitKind(t.Context(), events.TaskReady, "/a")
		if err != nil || e.Path != "/a" {
			t.Errorf("%v, %v", e, err)
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("it came after 2s and was seen after %v", took)
		}
	})
}

func TestWaitEndsWithItsContextAndSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder.Recorder
		r.Handle(event(events.TaskReady, "/b"))
		late := errors.New("too late")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, late)
		defer cancel()
		_, err := r.WaitKind(ctx, events.TaskReady, "/a")
		if !errors.Is(err, late) {
			t.Errorf("the cause is not in %v", err)
		}
		if want := "wait for task_ready of /a: not among 1 events: too late"; err == nil || err.Error() != want {
			t.Errorf("it says %v, want %s", err, want)
		}
	})
}

func TestWaitLooksAtEachEventOnceAndWithoutTheLock(t *testing.T) {
	var r recorder.Recorder
	r.Handle(event(events.TaskAdded, "/a"))
	r.Handle(event(events.TaskReady, "/a"))

	var looked []events.Kind
	_, err := r.Wait(t.Context(), func(e events.Event) bool {
		looked = append(looked, e.Kind)
		if len(looked) == 2 {
			r.Handle(event(events.TaskRemoved, "/a")) // would wait for itself under the lock
		}
		return e.Kind == events.TaskRemoved
	})
	if want := []events.Kind{events.TaskAdded, events.TaskReady, events.TaskRemoved}; err != nil || !slices.Equal(looked, want) {
		t.Errorf("looked at %v, want %v; %v", looked, want, err)
	}
}

func TestAResetDoesNotEndAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder.Recorder
		r.Handle(event(events.TaskAdded, "/a"))
		go func() {
			time.Sleep(time.Second)
			r.Reset()
			r.Handle(event(events.TaskReady, "/a"))
		}()
		if _, err := r.WaitKind(t.Context(), events.TaskReady, "/a"); err != nil {
			t.Error(err)
		}
	})
}

func TestAWaitGoesOnPastWhatWasDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := recorder.Recorder{Limit: 2}
		r.Handle(event(events.TaskAdded, "/a"))
		go func() {
			time.Sleep(time.Second)
			for range 5 {
				r.Handle(event(events.TaskAdded, "/a"))
			}
			r.Handle(event(events.TaskReady, "/a"))
		}()
		if _, err := r.WaitKind(t.Context(), events.TaskReady, "/a"); err != nil {
			t.Error(err)
		}
	})
}

func TestAllMayRecordAndLookAtOnce(t *testing.T) {
	const each, writers = 200, 4
	r := recorder.Recorder{Limit: each}
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				r.Handle(event(events.TaskAdded, "/a"))
				_, _, _, _ = r.Events(), r.Kinds(), r.Of("/a"), r.Count(events.TaskAdded)
			}
			r.Handle(event(events.TaskReady, "/a"))
		})
		wg.Go(func() {
			if _, err := r.WaitKind(t.Context(), events.TaskReady, "/a"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := uint64(len(r.Events())) + r.Dropped(); n != writers*(each+1) {
		t.Errorf("%d of %d events are accounted for", n, writers*(each+1))
	}
}

func TestASupervisorIsRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder.Recorder
		app := supervisor.New(supervisor.Config{
			Name:         "app",
			AutoShutdown: supervisor.AutoShutdownAny,
			Subscribers:  []events.Subscriber{r.Subscriber()},
			Children: []actor.Spec{{
				Name: "job", Significant: true,
				Task: actor.Func(func(context.Context) error { return nil }),
			}},
		})
		if err := app.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		var kinds []events.Kind
		for _, e := range r.Of("/app/job") {
			kinds = append(kinds, e.Kind)
		}
		want := []events.Kind{events.TaskAdded, events.AttemptStarted, events.AttemptEnded, events.TaskFinished}
		if !slices.Equal(kinds, want) {
			t.Errorf("the life of the job was %v, want %v", kinds, want)
		}
	})
}
