package events

// Metric describes a figure that a [Source] keeps. Names, labels and meanings are
// stable.
type Metric struct {
	// Name is in snake_case and ends in its unit, if it has one, and then in
	// "_total" if it is a counter.
	Name string
	// Help is one sentence for people.
	Help string
	// Counter says that the figure only ever grows. Otherwise it goes up and down.
	Counter bool
	// Labels are the keys by which the figure is split. The key "task" stands for
	// an [Event].Pattern.
	Labels []string
}

// Source keeps figures about what runs. They are exact, whatever becomes of events:
// who shows counters and gauges reads them here and does not add up events.
// Supervisors are sources.
type Source interface {
	// Metrics returns all that Measure may report. They are always the same.
	Metrics() []*Metric
	// Measure reports the present value of each series once, with one value for
	// each of its metric's labels. Series are reported before there is anything to
	// count, as zero. It may be called by any goroutine at any time; report is
	// called by that goroutine, and without any lock.
	Measure(report func(m *Metric, value float64, labels ...string))
}
