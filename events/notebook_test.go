package events_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/taskvisor/taskvisor/events"
)

// notebook is a handler that writes down what it is given. With a gate it waits
// before each event until it may pass.
type notebook struct {
	gate chan struct{}

	mu    sync.Mutex
	notes []events.Event
}

func (n *notebook) Handle(e events.Event) {
	if n.gate != nil {
		<-n.gate
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.notes = append(n.notes, e)
}

func (n *notebook) all() []events.Event {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.notes)
}

func (n *notebook) kinds() []events.Kind {
	var ks []events.Kind
	for _, e := range n.all() {
		ks = append(ks, e.Kind)
	}
	return ks
}

func (n *notebook) seqs() []uint64 {
	var seqs []uint64
	for _, e := range n.all() {
		seqs = append(seqs, e.Seq)
	}
	return seqs
}

func gated() *notebook { return &notebook{gate: make(chan struct{})} }

func subscribe(t testing.TB, bus *events.Bus, s events.Subscriber) *events.Subscription {
	t.Helper()
	sub, err := bus.Subscribe(s)
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

// closeBus ends the bus within a bubble or without.
func closeBus(t testing.TB, bus *events.Bus) {
	t.Helper()
	if err := bus.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func publish(bus *events.Bus, n int) {
	for range n {
		bus.Publish(events.Event{Kind: events.TaskAdded})
	}
}
