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

func TestPublishGivesAnEventItsPlaceAndItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus events.Bus
		var n notebook
		subscribe(t, &bus, events.Subscriber{Name: "n", Handler: &n})
		begin := time.Now()
		earlier := begin.Add(-time.Hour)

		bus.Publish(events.Event{Kind: events.TaskAdded, Seq: 99})
		time.Sleep(time.Second)
		bus.Publish(events.Event{Kind: events.TaskRemoved})
		bus.Publish(events.Event{Kind: events.TaskRemoved, At: earlier})
		closeBus(t, &bus)

		if got, want := n.seqs(), []uint64{1, 2, 3}; !slices.Equal(got, want) {
			t.Errorf("the places are %v, want %v", got, want)
		}
		for i, want := range []time.Time{begin, begin.Add(time.Second), earlier} {
			if got := n.all()[i].At; !got.Equal(want) {
				t.Errorf("event %d is dated %v, want %v", i+1, got, want)
			}
		}
	})
}

func TestASubscriberIsGivenItsKindsInTheOrderOfTheBus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus events.Bus
		var every, some notebook
		subscribe(t, &bus, events.Subscriber{Name: "every", Handler: &every})
		subscribe(t, &bus, events.Subscriber{
			Name: "some", Handler: &some,
			Kinds: []events.Kind{events.TaskRemoved, events.TaskAdded},
		})
		published := []events.Kind{events.TaskAdded, events.AttemptStarted, events.AttemptEnded, events.TaskRemoved}
		for _, k := range published {
			bus.Publish(events.Event{Kind: k})
		}
		closeBus(t, &bus)

		if got := every.kinds(); !slices.Equal(got, published) {
			t.Errorf("who wants every kind is given %v", got)
		}
		if got, want := some.seqs(), []uint64{1, 4}; !slices.Equal(got, want) {
			t.Errorf("who wants two kinds is given the places %v, want %v", got, want)
		}
	})
}

func TestTheBusWantsWhatAnyoneSubscribesTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus events.Bus
		var n notebook
		wants := func(want ...events.Kind) {
			t.Helper()
			for k := range events.Kind(255) {
				if bus.Wants(k) != slices.Contains(want, k) {
					t.Errorf("Wants(%v) is %v", k, bus.Wants(k))
				}
			}
		}
		wants()
		added := subscribe(t, &bus, events.Subscriber{Name: "a", Handler: &n, Kinds: []events.Kind{events.TaskAdded}})
		wants(events.TaskAdded)
		subscribe(t, &bus, events.Subscriber{Name: "r", Handler: &n, Kinds: []events.Kind{events.TaskRemoved}})
		wants(events.TaskAdded, events.TaskRemoved)
		if err := added.Close(t.Context()); err != nil {
			t.Error(err)
		}
		wants(events.TaskRemoved)
		subscribe(t, &bus, events.Subscriber{Name: "all", Handler: &n})
		// Losses are told to one subscriber and never published.
		wants(slices.DeleteFunc(events.Kinds(), func(k events.Kind) bool { return k == events.EventsLost })...)
		closeBus(t, &bus)
		wants()
	})
}

func TestWhatNobodyWantsTakesNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus events.Bus
		var n notebook
		bus.Publish(events.Event{Kind: events.TaskAdded})
		subscribe(t, &bus, events.Subscriber{Name: "n", Handler: &n, Kinds: []events.Kind{events.TaskRemoved}})
		for _, k := range []events.Kind{events.TaskAdded, events.EventsLost, 0, 99, events.TaskRemoved} {
			bus.Publish(events.Event{Kind: k})
		}
		closeBus(t, &bus)

		if got := n.all(); len(got) != 1 || got[0].Seq != 1 {
			t.Errorf("it was given %v, want the removal in place 1", got)
		}
	})
}

func TestANilBusIsSilent(t *testing.T) {
	var bus *events.Bus
	bus.Publish(events.Event{Kind: events.TaskAdded})
	if bus.Wants(events.TaskAdded) || bus.Stats() != nil {
		t.Error("it has a subscriber")
	}
	if err := errors.Join(bus.Drain(context.Background()), bus.Close(context.Background())); err != nil {
		t.Error(err)
	}
	_, err := bus.Subscribe(events.Subscriber{Name: "n", Handler: new(notebook)})
	if !errors.Is(err, events.ErrClosed) {
		t.Errorf("Subscribe says %v", err)
	}
}

func TestANameIsTakenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus, other events.Bus
		var n notebook
		first := subscribe(t, &bus, events.Subscriber{Name: "n", Handler: &n})
		_, err := bus.Subscribe(events.Subscriber{Name: "n", Handler: &n})
		if !errors.Is(err, events.ErrDuplicate) {
			t.Errorf("the second of that name: %v", err)
		}
		subscribe(t, &other, events.Subscriber{Name: "n", Handler: &n})
		if err := first.Close(t.Context()); err != nil {
			t.Error(err)
		}
		subscribe(t, &bus, events.Subscriber{Name: "n", Handler: &n})
		closeBus(t, &bus)
		closeBus(t, &other)
	})
}

func TestABlockedSubscriberHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus events.Bus
		blocked := gated()
		var free notebook
		subscribe(t, &bus, events.Subscriber{Name: "blocked", Handler: blocked, Queue: 2})
		subscribe(t, &bus, events.Subscriber{Name: "free", Handler: &free})

		publish(&bus, 100)
		synctest.Wait()
		if got := len(free.all()); got != 100 {
			t.Errorf("the free one was given %d events of 100", got)
		}
		close(blocked.gate)
		closeBus(t, &bus)
	})
}

func TestStatsAreSortedByName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus events.Bus
		slow := gated()
		subscribe(t, &bus, events.Subscriber{Name: "b", Handler: slow, Queue: 2})
		subscribe(t, &bus, events.Subscriber{Name: "c", Handler: new(notebook), Kinds: []events.Kind{events.TaskReady}})
		sub := subscribe(t, &bus, events.Subscriber{Name: "a", Handler: new(notebook)})
		publish(&bus, 3)
		synctest.Wait()

		want := []events.Stats{{Name: "a", Delivered: 3}, {Name: "b", Queued: 2, Lost: 1}, {Name: "c"}}
		if got := bus.Stats(); !slices.Equal(got, want) {
			t.Errorf("the figures are %v, want %v", got, want)
		}
		close(slow.gate)
		closeBus(t, &bus)
		if got := bus.Stats(); len(got) != 0 {
			t.Errorf("a closed bus has the figures %v", got)
		}
		if sub.Name() != "a" || sub.Stats() != want[0] {
			t.Errorf("after its end %s has %v", sub.Name(), sub.Stats())
		}
	})
}
