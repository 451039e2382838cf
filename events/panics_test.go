package events_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/taskvisor/taskvisor/events"
)

func TestAPanicCostsOneEventAndIsToldToTheOthers(t *testing.T) {
	for _, row := range []struct {
		sentence string
		fall     func()
		is       error // in the chain, if any
	}{
		{"a panic with a text", func() { panic("oh") }, nil},
		{"a panic with an error", func() { panic(io.ErrNoProgress) }, io.ErrNoProgress},
		{"a panic with nil", func() { panic(any(nil)) }, nil}, //nolint:govet // nil is the case
		{"a Goexit", runtime.Goexit, nil},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var bus events.Bus
				var clumsy, other notebook
				published := make(chan struct{})
				sub := subscribe(t, &bus, events.Subscriber{Name: "clumsy", Handler: events.HandlerFunc(func(e events.Event) {
					<-published
					clumsy.Handle(e)
					if e.Seq == 2 {
						row.fall()
					}
				})})
				subscribe(t, &bus, events.Subscriber{Name: "other", Handler: &other})
				publish(&bus, 3)
				close(published)
				synctest.Wait()
				publish(&bus, 1)
				closeBus(t, &bus)

				if got, want := clumsy.seqs(), []uint64{1, 2, 3, 5}; !slices.Equal(got, want) {
					t.Errorf("the clumsy one was given %v, want %v", got, want)
				}
				all := other.all()
				if len(all) != 5 || all[3].Kind != events.SubscriberPanicked {
					t.Fatalf("the other one was given %v", all)
				}
				var fall *events.HandlerPanic
				if !errors.As(all[3].Err, &fall) {
					t.Fatalf("the error is %v", all[3].Err)
				}
				if fall.Subscriber != "clumsy" || all[3].Subscriber != "clumsy" || all[3].Count != 1 {
					t.Errorf("it was told %v", all[3])
				}
				if row.is != nil && !errors.Is(fall, row.is) {
					t.Errorf("%v is not %v", fall, row.is)
				}
				if want := fmt.Sprintf("subscriber \"clumsy\" panicked: %v", fall.Value); fall.Error() != want {
					t.Errorf("it reads %q, want %q", fall, want)
				}
				if !bytes.Contains(fall.Stack, []byte("panics_test.go")) {
					t.Errorf("the stack does not show the handler:\n%s", fall.Stack)
				}
				if first, _, _ := strings.Cut(fall.Traces(), "\n"); !strings.Contains(first, "events_test.Test") {
					t.Errorf("the traces begin with %q", first)
				}
				if s := sub.Stats(); s.Delivered != 4 || s.Panics != 1 || s.LastPanic != error(fall) { //nolint:errorlint // the very value
					t.Errorf("the figures are %+v", s)
				}
			})
		})
	}
}

func TestManyPanicsOfOneBatchAreToldByTwoEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus events.Bus
		gate := make(chan struct{})
		var other notebook
		subscribe(t, &bus, events.Subscriber{Name: "clumsy", Handler: events.HandlerFunc(func(events.Event) {
			<-gate
			panic("oh")
		})})
		publish(&bus, 1) // taken by itself, so that the rest makes one batch
		synctest.Wait()
		publish(&bus, 100)
		subscribe(t, &bus, events.Subscriber{
			Name: "other", Handler: &other, Kinds: []events.Kind{events.SubscriberPanicked},
		})
		close(gate)
		closeBusAfterDrain(t, &bus)

		var counts []uint64
		for _, e := range other.all() {
			counts = append(counts, e.Count)
		}
		if want := []uint64{1, 1, 99}; !slices.Equal(counts, want) {
			t.Errorf("the panics were told as %v, want %v", counts, want)
		}
	})
}

func TestHandlersThatAlwaysPanicComeToRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus events.Bus
		for _, name := range []string{"a", "b", "c"} {
			subscribe(t, &bus, events.Subscriber{Name: name, Queue: 4, Handler: events.HandlerFunc(func(events.Event) {
				panic(name)
			})})
		}
		publish(&bus, 100)
		synctest.Wait() // returns only when nobody has anything to do
		for _, s := range bus.Stats() {
			if s.Panics == 0 || s.Queued != 0 {
				t.Errorf("%s: %d panics, %d queued", s.Name, s.Panics, s.Queued)
			}
		}
		closeBus(t, &bus)
	})
}

func TestAPanicOverANoticeIsCountedAndNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus events.Bus
		gate := make(chan struct{})
		var other notebook
		sub := subscribe(t, &bus, events.Subscriber{Name: "clumsy", Queue: 1, Handler: events.HandlerFunc(func(e events.Event) {
			<-gate
			if e.Kind == events.EventsLost {
				panic("oh")
			}
		})})
		subscribe(t, &bus, events.Subscriber{Name: "other", Handler: &other})
		publish(&bus, 2)
		close(gate)
		closeBusAfterDrain(t, &bus)

		if s := sub.Stats(); s.Panics != 1 {
			t.Errorf("%d panics are counted", s.Panics)
		}
		if slices.Contains(other.kinds(), events.SubscriberPanicked) {
			t.Error("the other one was told")
		}
	})
}

// closeBusAfterDrain lets what the handlers publish arrive before the end.
func closeBusAfterDrain(t *testing.T, bus *events.Bus) {
	t.Helper()
	synctest.Wait()
	closeBus(t, bus)
}
