package events

import (
	"fmt"
	"maps"
	"testing"
)

func TestABusCountsOnWhenANameIsUsedAgain(t *testing.T) {
	var b Bus
	for range 3 {
		sub, err := b.Subscribe(Subscriber{Name: "log", Handler: HandlerFunc(func(Event) { panic("boom") })})
		if err != nil {
			t.Fatal(err)
		}
		b.Publish(Event{Kind: TaskAdded})
		b.Publish(Event{Kind: TaskRemoved})
		if err := sub.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]float64{}
	b.Measure(func(m *Metric, value float64, labels ...string) { got[m.Name+" "+labels[0]] = value })
	want := map[string]float64{
		"subscriber_events_delivered_total log": 6, "subscriber_events_lost_total log": 0,
		"subscriber_events_queued log": 0, "subscriber_panics_total log": 6,
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestABusRemembersManyNamesButNotAll(t *testing.T) {
	var b Bus
	for i := range 3 * maxPast {
		sub, err := b.Subscribe(Subscriber{Name: fmt.Sprint("guest ", i), Handler: HandlerFunc(func(Event) {})})
		if err != nil {
			t.Fatal(err)
		}
		if err := sub.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(b.totals()); n != maxPast {
		t.Errorf("%d names are remembered, want %d", n, maxPast)
	}
}
