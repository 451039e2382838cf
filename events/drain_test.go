package events_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/events"
)

// slow is a handler that takes a second for each event.
func slow(events.Event) { time.Sleep(time.Second) }

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// names checks that err is about exactly these subscribers and wraps cause.
func names(t *testing.T, err, cause error, subscribers ...string) {
	t.Helper()
	if !errors.Is(err, cause) {
		t.Fatalf("the error is %v, want one that wraps %v", err, cause)
	}
	for _, name := range []string{"a", "b", "c"} {
		if strings.Contains(err.Error(), `"`+name+`"`) != slices.Contains(subscribers, name) {
			t.Errorf("the error is about %v, want %v", err, subscribers)
		}
	}
}

func TestDrainWaitsForWhatWasPublishedBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus events.Bus
		subscribe(t, &bus, events.Subscriber{Name: "a", Handler: events.HandlerFunc(slow)})
		subscribe(t, &bus, events.Subscriber{Name: "b", Handler: events.HandlerFunc(slow), Kinds: []events.Kind{events.TaskReady}})
		publish(&bus, 3)
		begin := time.Now()
		go func() {
			time.Sleep(time.Second)
			publish(&bus, 100)
		}()
		if err := bus.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("it took %v for three events", took)
		}
		closeBus(t, &bus)
	})
}

func TestDrainWaitsForALossToBeTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus events.Bus
		subscribe(t, &bus, events.Subscriber{Name: "a", Handler: events.HandlerFunc(slow), Queue: 2})
		publish(&bus, 5)
		begin := time.Now()
		if err := bus.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("it took %v for two events and a notice", took)
		}
		closeBus(t, &bus)
	})
}

func TestDrainNamesWhoIsTooSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus events.Bus
		for _, name := range []string{"a", "b"} {
			subscribe(t, &bus, events.Subscriber{Name: name, Handler: events.HandlerFunc(slow)})
		}
		subscribe(t, &bus, events.Subscriber{Name: "c", Handler: new(notebook)})
		publish(&bus, 10)
		begin := time.Now()
		names(t, bus.Drain(within(t, 1500*time.Millisecond)), context.DeadlineExceeded, "a", "b")
		if took := time.Since(begin); took != 1500*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		// Giving up has changed nothing for anybody else who waits.
		if err := bus.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took != 10*time.Second {
			t.Errorf("the second took until %v", took)
		}
		// What is done is done, even when there is no time left to wait.
		if err := bus.Drain(within(t, 0)); err != nil {
			t.Error(err)
		}
		closeBus(t, &bus)
	})
}

func TestManyMayDrainAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus events.Bus
		subscribe(t, &bus, events.Subscriber{Name: "a", Handler: events.HandlerFunc(slow)})
		begin := time.Now()
		for i := range 5 {
			publish(&bus, 1)
			go func() {
				if err := bus.Drain(t.Context()); err != nil {
					t.Error(err)
				}
				if took, want := time.Since(begin), time.Duration(i+1)*time.Second; took != want {
					t.Errorf("drain %d took %v, want %v", i, took, want)
				}
			}()
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		closeBus(t, &bus)
	})
}

func TestDrainAlsoWaitsForWhoIsLeaving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus events.Bus
		sub := subscribe(t, &bus, events.Subscriber{Name: "a", Handler: events.HandlerFunc(slow)})
		publish(&bus, 2)
		names(t, sub.Close(within(t, 0)), context.DeadlineExceeded, "a")
		begin := time.Now()
		if err := bus.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("it took %v", took)
		}
		closeBus(t, &bus)
	})
}

func TestAHandlerDoesNotWaitForItself(t *testing.T) {
	for _, row := range []struct {
		sentence string
		wait     func(context.Context, *events.Bus, *events.Subscription) error
		others   bool // it waits for the others
	}{
		{"drain", func(ctx context.Context, b *events.Bus, _ *events.Subscription) error { return b.Drain(ctx) }, true},
		{"close the bus", func(ctx context.Context, b *events.Bus, _ *events.Subscription) error { return b.Close(ctx) }, true},
		{"unsubscribe", func(ctx context.Context, _ *events.Bus, s *events.Subscription) error { return s.Close(ctx) }, false},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var bus events.Bus
				var sub *events.Subscription
				var n notebook
				var err error
				var took time.Duration
				published := make(chan struct{})
				sub = subscribe(t, &bus, events.Subscriber{Name: "a", Handler: events.HandlerFunc(func(e events.Event) {
					<-published
					n.Handle(e)
					if e.Seq == 1 {
						begin := time.Now()
						err = row.wait(context.Background(), &bus, sub)
						took = time.Since(begin)
					}
				})})
				subscribe(t, &bus, events.Subscriber{Name: "b", Handler: events.HandlerFunc(slow)})
				publish(&bus, 3)
				close(published)
				time.Sleep(time.Minute)
				synctest.Wait()

				names(t, err, events.ErrInside, "a")
				if row.others != (took > 0) {
					t.Errorf("it took %v", took)
				}
				if got, want := n.seqs(), []uint64{1, 2, 3}; !slices.Equal(got, want) {
					t.Errorf("it was given %v, want %v", got, want)
				}
				closeBus(t, &bus)
			})
		})
	}
}
