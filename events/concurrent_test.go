package events_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/events"
)

// checker is a handler that compares what it is given with what must hold: places
// only grow, each publisher's events keep their order, and the losses told make up
// for the gaps.
type checker struct {
	t      *testing.T
	last   uint64
	latest map[events.ID]int
	given  uint64
	lost   uint64
}

func (c *checker) Handle(e events.Event) {
	if e.Seq <= c.last {
		c.t.Errorf("place %d comes after place %d", e.Seq, c.last)
	}
	c.last = e.Seq
	if e.Kind == events.EventsLost {
		c.lost += e.Count
		return
	}
	c.given++
	if e.Attempt <= c.latest[e.ID] {
		c.t.Errorf("publisher %d: event %d comes after %d", e.ID, e.Attempt, c.latest[e.ID])
	}
	c.latest[e.ID] = e.Attempt
}

func TestManyPublishersKeepTheOrderAndEveryEventIsAccountedFor(t *testing.T) {
	const publishers, each = 16, 2000
	var bus events.Bus
	var checkers []*checker
	var subs []*events.Subscription
	for _, queue := range []int{1, 2, 7, 64, events.DefaultQueue, publishers * each} {
		c := &checker{t: t, latest: make(map[events.ID]int)}
		checkers = append(checkers, c)
		subs = append(subs, subscribe(t, &bus, events.Subscriber{
			Name: fmt.Sprint("queue of ", queue), Handler: c, Queue: queue,
			Kinds: []events.Kind{events.AttemptStarted},
		}))
	}

	var all sync.WaitGroup
	for p := range publishers {
		all.Go(func() {
			for i := range each {
				bus.Publish(events.Event{Kind: events.AttemptStarted, ID: events.ID(p + 1), Attempt: i + 1})
				bus.Publish(events.Event{Kind: events.AttemptEnded})
			}
		})
	}
	all.Wait()
	if err := bus.Drain(context.Background()); err != nil {
		t.Fatal(err)
	}

	for i, sub := range subs {
		s, c := sub.Stats(), checkers[i]
		if s.Delivered+s.Lost != publishers*each || s.Queued != 0 {
			t.Errorf("%s: %d delivered and %d lost of %d, %d queued", s.Name, s.Delivered, s.Lost, publishers*each, s.Queued)
		}
		if s.Delivered != c.given || s.Lost != c.lost {
			t.Errorf("%s: the figures are %+v, but it was given %d and told of %d", s.Name, s, c.given, c.lost)
		}
	}
	if last := subs[len(subs)-1].Stats(); last.Lost != 0 {
		t.Errorf("a queue with room for everything lost %d", last.Lost)
	}
	closeBus(t, &bus)
}

func TestSubscribersComeAndGoWhileEventsFlow(t *testing.T) {
	var bus events.Bus
	c := &checker{t: t, latest: make(map[events.ID]int)}
	steady := subscribe(t, &bus, events.Subscriber{Name: "steady", Handler: c, Queue: events.MaxQueue})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	var published uint64
	stop := make(chan struct{})
	var publisher, guests sync.WaitGroup
	publisher.Go(func() {
		for i := 1; ; i++ {
			select {
			case <-stop:
				published = uint64(i - 1)
				return
			default:
				bus.Publish(events.Event{Kind: events.TaskAdded, ID: 1, Attempt: i})
			}
		}
	})
	for g := range 8 {
		guests.Go(func() {
			for round := range 100 {
				mine := &checker{t: t, latest: make(map[events.ID]int)}
				sub, err := bus.Subscribe(events.Subscriber{Name: fmt.Sprint("guest ", g), Handler: mine, Queue: 1 + round})
				if err != nil {
					t.Error(err)
					return
				}
				bus.Publish(events.Event{Kind: events.TaskReady, ID: events.ID(10 + g), Attempt: round + 1})
				if round%3 == 0 {
					if err := bus.Drain(ctx); err != nil {
						t.Error(err)
					}
				}
				bus.Stats()
				if err := sub.Close(ctx); err != nil {
					t.Error(err)
				}
				if s := sub.Stats(); s.Delivered != mine.given || s.Lost != mine.lost || s.Queued != 0 {
					t.Errorf("the figures are %+v, but it was given %d and told of %d", s, mine.given, mine.lost)
				}
			}
		})
	}
	guests.Wait()
	close(stop)
	publisher.Wait()
	if err := bus.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if s, want := steady.Stats(), published+8*100; s.Delivered+s.Lost != want {
		t.Errorf("the steady one has %+v of %d", s, want)
	}
}

func TestManyMayCloseAtATime(t *testing.T) {
	for range 100 {
		var bus events.Bus
		var subs []*events.Subscription
		for i := range 4 {
			subs = append(subs, subscribe(t, &bus, events.Subscriber{Name: fmt.Sprint(i), Handler: new(notebook)}))
		}
		var all sync.WaitGroup
		all.Go(func() { publish(&bus, 100) })
		for _, sub := range subs {
			all.Go(func() {
				if err := sub.Close(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		for range 2 {
			all.Go(func() { closeBus(t, &bus) })
		}
		all.Wait()
	}
}

func TestPublishDoesNotAllocate(t *testing.T) {
	var bus events.Bus
	gate := make(chan struct{})
	for _, name := range []string{"a", "b"} {
		subscribe(t, &bus, events.Subscriber{Name: name, Handler: events.HandlerFunc(func(events.Event) { <-gate })})
	}
	// Let the queues grow once to the room that they then keep.
	publish(&bus, 2*events.DefaultQueue)
	close(gate)
	if err := bus.Drain(context.Background()); err != nil {
		t.Fatal(err)
	}

	err, job := fmt.Errorf("refused"), &events.Job{ID: 42, Type: "media/resize"}
	if got := testing.AllocsPerRun(10_000, func() {
		bus.Publish(events.Event{Kind: events.AttemptEnded, Path: "/app/db", ID: 1, Attempt: 2, Err: err, Job: job})
	}); got != 0 {
		t.Errorf("an event costs %v allocations", got)
	}
	closeBus(t, &bus)
}
