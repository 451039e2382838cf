package events

import (
	"maps"
	"slices"
)

// maxPast is how many names of former subscribers a bus remembers. The figures of
// those that come after go when they do.
const maxPast = 1000

// The figures of a bus.
var (
	deliveredMetric = &Metric{
		Name: "subscriber_events_delivered_total", Counter: true, Labels: []string{"subscriber"},
		Help: "Events that the subscriber has dealt with.",
	}
	lostMetric = &Metric{
		Name: "subscriber_events_lost_total", Counter: true, Labels: []string{"subscriber"},
		Help: "Events that the subscriber was too slow for.",
	}
	queuedMetric = &Metric{
		Name: "subscriber_events_queued", Labels: []string{"subscriber"},
		Help: "Events that wait for the subscriber.",
	}
	panicsMetric = &Metric{
		Name: "subscriber_panics_total", Counter: true, Labels: []string{"subscriber"},
		Help: "How often the subscriber has panicked.",
	}
)

// Metrics returns the figures that Measure reports. It makes a Bus a [Source].
func (b *Bus) Metrics() []*Metric {
	return []*Metric{deliveredMetric, lostMetric, queuedMetric, panicsMetric}
}

// Measure reports the figures of every subscriber that there is or was, by name:
// counts go on when a name is used again. The bus of a supervisor that has none of its
// own is reported by the supervisor; one from a Config is for whoever made it.
func (b *Bus) Measure(report func(m *Metric, value float64, labels ...string)) {
	totals := b.totals()
	for _, name := range slices.Sorted(maps.Keys(totals)) {
		s := totals[name]
		report(deliveredMetric, float64(s.Delivered), name)
		report(lostMetric, float64(s.Lost), name)
		report(queuedMetric, float64(s.Queued), name)
		report(panicsMetric, float64(s.Panics), name)
	}
}

// totals adds up what is over and what is not.
func (b *Bus) totals() map[string]*Stats {
	all := map[string]*Stats{}
	if b == nil {
		return all
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.past {
		addTo(all, s)
	}
	for _, subs := range [][]*Subscription{b.subs, b.leaving} {
		for _, s := range subs {
			addTo(all, s.stats())
		}
	}
	return all
}

// remember keeps the figures of a subscription that is over. Hold mu.
func (b *Bus) remember(s Stats) {
	had, there := b.past[s.Name]
	if !there && len(b.past) >= maxPast {
		return
	}
	if b.past == nil {
		b.past = map[string]Stats{}
	}
	s.Delivered += had.Delivered
	s.Lost += had.Lost
	s.Panics += had.Panics
	s.Queued, s.LastPanic = 0, nil
	b.past[s.Name] = s
}

func addTo(all map[string]*Stats, s Stats) {
	to := all[s.Name]
	if to == nil {
		to = &Stats{Name: s.Name}
		all[s.Name] = to
	}
	to.Delivered += s.Delivered
	to.Lost += s.Lost
	to.Queued += s.Queued
	to.Panics += s.Panics
}
