package main

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/taskvisor/taskvisor/events"
)

const busFamily = "Events, and what restarts cost and leave"

const channelsConfig = "What one would write by hand for events: one buffered channel of the same capacity and one goroutine a subscriber; " +
	"the publisher numbers the event, reads the clock if nobody has, and sends a copy to each without waiting, under one lock. What does not fit is lost and counted."

// ignore is a subscriber that does nothing.
var ignore = events.HandlerFunc(func(events.Event) {})

// A broadcast is what the works about events need of a bus.
type broadcast interface {
	publish(events.Event)
	// drain returns when what was published has been handled.
	drain() error
	// lost returns how many deliveries did not happen.
	lost() uint64
	close() error
}

func openBroadcast(p peer, subscribers int) (broadcast, error) {
	if p.name == channels {
		return newChannelBus(subscribers), nil
	}
	bus := &ourBus{}
	for i := range subscribers {
		if _, err := bus.Subscribe(events.Subscriber{Name: strconv.Itoa(i), Handler: ignore}); err != nil {
			return nil, err
		}
	}
	return bus, nil
}

func busWorks() []work {
	both := []string{ours, channels}
	publish := func(n int, title string, targets ...target) work {
		return work{
			name: "publish-" + strconv.Itoa(n), family: busFamily, by: both,
			how: "Bursts of 512 events, half of what a queue holds; after each the subscribers catch up. Only the publisher's time counts. " +
				"The events say when they happened, as those of supervisors do; on the line below, the bus has to read the clock.",
			lines: []line{
				{figure: "publish", title: title, unit: "ns", targets: targets},
				{figure: "clock", title: title + ", and the clock is read", unit: "ns"},
				{figure: "allocs", title: title, unit: "allocs", targets: []target{atMost(0.05)}},
			},
			measure: func(p peer, size scale) (figures, error) { return measurePublish(p, size, n) },
		}
	}
	return []work{
		publish(0, "Publish, no subscriber"),
		publish(1, "Publish, 1 subscriber", atMost(100)),
		publish(10, "Publish, 10 subscribers", atMost(300)),
		{
			name: "losses", family: busFamily, by: both,
			how: "100 events each millisecond to 10 subscribers with the default queue, one million deliveries a second; what was lost of them.",
			lines: []line{
				{figure: "lost", title: "events lost at 100k a second, 10 subscribers", unit: "events", targets: []target{atMost(0)}},
			},
			measure: measureLosses,
		},
	}
}

var sample = events.Event{Kind: events.AttemptStarted, ID: 7, Path: "/app/db", Attempt: 3, Generation: 1}

func measurePublish(p peer, size scale, subscribers int) (figures, error) {
	b, err := openBroadcast(p, subscribers)
	if err != nil {
		return nil, err
	}
	clock, _, err := publishing(b, size.spell/2, sample)
	if err != nil {
		return nil, err
	}
	timed := sample
	timed.At = time.Now()
	publish, allocs, err := publishing(b, size.spell/2, timed)
	if err != nil {
		return nil, err
	}
	return figures{"publish": publish, "clock": clock, "allocs": allocs}, b.close()
}

// publishing returns what it takes to publish e, in nanoseconds and allocations.
func publishing(b broadcast, spell time.Duration, e events.Event) (ns, allocs float64, err error) {
	const burst = events.DefaultQueue / 2
	var spent time.Duration
	var published int
	before := mallocs()
	for begin := time.Now(); time.Since(begin) < spell; {
		t := time.Now()
		for range burst {
			b.publish(e)
		}
		spent += time.Since(t)
		published += burst
		if err := b.drain(); err != nil {
			return 0, 0, err
		}
	}
	made := mallocs() - before
	return float64(spent.Nanoseconds()) / float64(published), float64(made) / float64(published), nil
}

func measureLosses(p peer, size scale) (figures, error) {
	b, err := openBroadcast(p, 10)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for begin := time.Now(); time.Since(begin) < size.spell; {
		<-tick.C
		for range 100 {
			b.publish(sample)
		}
	}
	if err := b.drain(); err != nil {
		return nil, err
	}
	return figures{"lost": float64(b.lost())}, b.close()
}

type ourBus struct{ events.Bus }

func (b *ourBus) publish(e events.Event) { b.Publish(e) }
func (b *ourBus) drain() error           { return b.Drain(context.Background()) }
func (b *ourBus) close() error           { return b.Close(context.Background()) }

func (b *ourBus) lost() uint64 {
	var n uint64
	for _, s := range b.Stats() {
		n += s.Lost
	}
	return n
}

// channelBus is the bus that one would write by hand.
type channelBus struct {
	subscribers []chan events.Event
	handlers    sync.WaitGroup
	draining    sync.WaitGroup

	mu     sync.Mutex // guards what follows, and makes the order the same for all
	seq    uint64
	missed uint64
}

// flush is an event that is answered and not handled: zero is no kind.
const flush events.Kind = 0

func newChannelBus(subscribers int) *channelBus {
	b := &channelBus{}
	for range subscribers {
		c := make(chan events.Event, events.DefaultQueue)
		b.subscribers = append(b.subscribers, c)
		b.handlers.Go(func() { b.handle(c) })
	}
	return b
}

func (b *channelBus) handle(c <-chan events.Event) {
	for e := range c {
		if e.Kind == flush {
			b.draining.Done()
			continue
		}
		ignore.Handle(e)
	}
}

func (b *channelBus) publish(e events.Event) {
	if len(b.subscribers) == 0 {
		return
	}
	if e.At.IsZero() {
		e.At = time.Now()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seq++
	e.Seq = b.seq
	for _, c := range b.subscribers {
		select {
		case c <- e:
		default:
			b.missed++
		}
	}
}

func (b *channelBus) drain() error {
	b.draining.Add(len(b.subscribers))
	for _, c := range b.subscribers {
		c <- events.Event{Kind: flush}
	}
	b.draining.Wait()
	return nil
}

func (b *channelBus) lost() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.missed
}

func (b *channelBus) close() error {
	for _, c := range b.subscribers {
		close(c)
	}
	b.handlers.Wait()
	return nil
}
