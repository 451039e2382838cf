package events_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/events"
)

func TestAClosedSubscriptionHandlesWhatIsQueuedAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus events.Bus
		sub := subscribe(t, &bus, events.Subscriber{Name: "a", Handler: events.HandlerFunc(slow)})
		publish(&bus, 3)
		begin := time.Now()
		names(t, sub.Close(within(t, time.Second/2)), context.DeadlineExceeded, "a")
		if bus.Wants(events.TaskAdded) {
			t.Error("it is still subscribed")
		}
		publish(&bus, 1)
		if err := sub.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("its end took %v", took)
		}
		if s := sub.Stats(); s.Delivered != 3 || s.Lost != 0 {
			t.Errorf("the figures are %+v", s)
		}
		if err := sub.Close(within(t, 0)); err != nil {
			t.Errorf("closing what has ended: %v", err)
		}
		closeBus(t, &bus)
	})
}

func TestAnIdleSubscriptionEndsWithoutWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus events.Bus
		sub := subscribe(t, &bus, events.Subscriber{Name: "a", Handler: new(notebook)})
		subscribe(t, &bus, events.Subscriber{Name: "b", Handler: new(notebook)})
		publish(&bus, 3)
		synctest.Wait()
		if err := errors.Join(sub.Close(within(t, 0)), bus.Close(within(t, 0))); err != nil {
			t.Error(err)
		}
	})
}

func TestAClosedBusTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus events.Bus
		var n notebook
		subscribe(t, &bus, events.Subscriber{Name: "a", Handler: &n})
		publish(&bus, 2)
		closeBus(t, &bus)
		publish(&bus, 1)
		if got := len(n.all()); got != 2 {
			t.Errorf("it was given %d events, want 2", got)
		}
		_, err := bus.Subscribe(events.Subscriber{Name: "b", Handler: &n})
		if !errors.Is(err, events.ErrClosed) {
			t.Errorf("Subscribe says %v", err)
		}
		closeBus(t, &bus)
	})
}

func TestCloseLeavesBehindWhoIsBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus events.Bus
		blocked := gated()
		sub := subscribe(t, &bus, events.Subscriber{Name: "a", Handler: blocked, Queue: 200})
		gone := subscribe(t, &bus, events.Subscriber{Name: "b", Handler: blocked})
		subscribe(t, &bus, events.Subscriber{Name: "c", Handler: new(notebook)})
		publish(&bus, 100)
		synctest.Wait()
		publish(&bus, 150) // a second batch, and more than fit
		names(t, gone.Close(within(t, time.Second)), context.DeadlineExceeded, "b")

		var drained error
		go func() { drained = bus.Drain(context.Background()) }()
		synctest.Wait()
		names(t, bus.Close(within(t, events.DefaultDrain)), context.DeadlineExceeded, "a", "b")

		// Who still waits does not undo that.
		names(t, bus.Drain(within(t, time.Second)), context.DeadlineExceeded, "a", "b")

		// One event is in each handler; all that follows is discarded.
		close(blocked.gate)
		closeBus(t, &bus)
		synctest.Wait()
		names(t, drained, events.ErrClosed, "a", "b")
		for _, s := range []events.Stats{sub.Stats(), gone.Stats()} {
			if s.Delivered != 1 || s.Lost != 249 || s.Queued != 0 {
				t.Errorf("%s has the figures %+v, want one delivered and 249 lost", s.Name, s)
			}
		}
		if got := told(blocked); !slices.Equal(got, []string{"1", "1"}) {
			t.Errorf("their handlers were given %v, want one event each", got)
		}
	})
}

func TestADiscardedNoticeIsNeitherToldNorCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus events.Bus
		n := gated()
		sub := subscribe(t, &bus, events.Subscriber{Name: "a", Handler: n, Queue: 2})
		publish(&bus, 3)
		n.gate <- struct{}{}
		synctest.Wait()
		publish(&bus, 1) // behind the notice
		names(t, bus.Close(within(t, time.Second)), context.DeadlineExceeded, "a")
		close(n.gate)
		closeBus(t, &bus)
		if s := sub.Stats(); s.Delivered != 2 || s.Lost != 2 || s.Queued != 0 {
			t.Errorf("the figures are %+v", s)
		}
		if got := told(n); !slices.Equal(got, []string{"1", "2"}) {
			t.Errorf("it was given %v", got)
		}
	})
}

func TestCloseBoundsASlowSubscriberToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus events.Bus
		sub := subscribe(t, &bus, events.Subscriber{Name: "a", Handler: events.HandlerFunc(slow)})
		publish(&bus, 100)
		begin := time.Now()
		names(t, bus.Close(within(t, 2500*time.Millisecond)), context.DeadlineExceeded, "a")
		closeBus(t, &bus)
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("it went on until %v", took)
		}
		if s := sub.Stats(); s.Delivered != 3 || s.Lost != 97 {
			t.Errorf("the figures are %+v", s)
		}
	})
}

func TestAPanicAtTheEndLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus events.Bus
		gate := make(chan struct{})
		sub := subscribe(t, &bus, events.Subscriber{Name: "a", Handler: events.HandlerFunc(func(events.Event) {
			<-gate
			panic("oh")
		})})
		publish(&bus, 10)
		synctest.Wait()
		names(t, bus.Close(within(t, time.Second)), context.DeadlineExceeded, "a")
		close(gate)
		closeBus(t, &bus)
		if s := sub.Stats(); s.Delivered != 1 || s.Panics != 1 || s.Lost != 9 {
			t.Errorf("the figures are %+v", s)
		}
	})
}
