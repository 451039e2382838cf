package prom

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/taskvisor/taskvisor/events"
)

// shown is the sources that a Collector shows, and what they have. It is read only once
// it is shown.
type shown struct {
	sources []events.Source
	metrics map[string]*metric // by events.Metric.Name
}

// metric is an events.Metric in the terms of Prometheus.
type metric struct {
	*events.Metric
	desc   *prometheus.Desc
	kind   prometheus.ValueType
	taskAt int // the place of the label task, or -1
}

func newMetric(m *events.Metric) *metric {
	d := &metric{
		Metric: m,
		desc:   prometheus.NewDesc(namespace+m.Name, m.Help, m.Labels, nil),
		kind:   prometheus.GaugeValue,
		taskAt: slices.Index(m.Labels, taskLabel),
	}
	if m.Counter {
		d.kind = prometheus.CounterValue
	}
	return d
}

// with returns s and more sources, and the patterns of tasks in all that they report. If
// a registry has been told of all metrics there are, no others may come.
func (s *shown) with(more []events.Source, told bool) (next *shown, patterns []string, err error) {
	if len(more) == 0 {
		return nil, nil, refuse("sources", nil, "must not be empty")
	}
	next = &shown{metrics: map[string]*metric{}}
	if s != nil {
		next.sources, next.metrics = slices.Clone(s.sources), maps.Clone(s.metrics)
	}
	r := rehearsal{shown: next, old: len(next.sources), seen: map[string]int{}}
	for i, source := range more {
		if isNil(source) {
			return nil, nil, refuse(fieldOf(i), nil, "must not be nil")
		}
		if err := next.add(source, fieldOf(i), told); err != nil {
			return nil, nil, err
		}
	}
	if err := r.hold(); err != nil {
		return nil, nil, err
	}
	return next, r.patterns, nil
}

// fieldOf names an argument of Add.
func fieldOf(i int) string { return fmt.Sprintf("sources[%d]", i) }

// isNil also finds a nil pointer, which would panic in the middle of a scrape.
func isNil(s events.Source) bool {
	v := reflect.ValueOf(s)
	return s == nil || v.Kind() == reflect.Pointer && v.IsNil()
}

// add takes in a source and its metrics.
func (s *shown) add(source events.Source, field string, told bool) error {
	for _, m := range source.Metrics() {
		if m == nil {
			return refuse(field, nil, "has a metric that is nil")
		}
		have, name := s.metrics[m.Name], namespace+m.Name
		switch {
		case slices.Contains(histogramNames, name):
			return refuse(field, name, "is the name of a histogram")
		case have != nil && (have.Counter != m.Counter || !slices.Equal(have.Labels, m.Labels)):
			return refuse(field, name, "has other labels or another type than the metric of that name before it")
		case have == nil && told:
			return refuse(field, name, "is new, and must be there before the Collector is registered")
		case have == nil:
			s.metrics[m.Name] = newMetric(m)
		}
	}
	s.sources = append(s.sources, source)
	return nil
}

// collect sends the figures of all sources and returns the patterns of tasks in them.
// Of two that report the same series, the first has it.
func (s *shown) collect(ch chan<- prometheus.Metric) (patterns []string) {
	seen := map[string]bool{}
	for _, source := range s.sources {
		source.Measure(func(em *events.Metric, value float64, labels ...string) {
			m := s.metrics[em.Name]
			if m == nil {
				return // was not announced, and would have the registry refuse everything
			}
			series := seriesOf(em, labels)
			if seen[series] {
				return
			}
			seen[series] = true
			sent, err := prometheus.NewConstMetric(m.desc, m.kind, value, labels...)
			if err != nil {
				return // it was not there when the source was added
			}
			ch <- sent
			patterns = m.notePattern(patterns, labels)
		})
	}
	return patterns
}

// notePattern appends the pattern of a series that has one. Those of one task follow
// each other.
func (m *metric) notePattern(patterns, labels []string) []string {
	if m.taskAt < 0 || len(patterns) > 0 && patterns[len(patterns)-1] == labels[m.taskAt] {
		return patterns
	}
	return append(patterns, labels[m.taskAt])
}

// seriesOf is a key for a series.
func seriesOf(m *events.Metric, labels []string) string {
	return m.Name + "\xff" + strings.Join(labels, "\xff")
}

// rehearsal is a first look at what the sources report, that finds out what could not be
// shown.
type rehearsal struct {
	shown    *shown
	old      int            // how many sources have been looked at before
	seen     map[string]int // which source has reported it
	patterns []string
	err      error
}

func (r *rehearsal) hold() error {
	for i, source := range r.shown.sources {
		source.Measure(func(m *events.Metric, value float64, labels ...string) {
			if r.err == nil {
				r.err = r.look(i, m, value, labels)
			}
		})
	}
	return r.err
}

// look takes down a series of source i. What is wrong with an old source, or between two
// of them, came later than they did and is no error.
func (r *rehearsal) look(i int, em *events.Metric, value float64, labels []string) error {
	m := r.shown.metrics[em.Name]
	fresh := i >= r.old
	if m == nil {
		if fresh {
			return refuse(fieldOf(i-r.old), em.Name, "is reported and not among the metrics")
		}
		return nil
	}
	if _, err := prometheus.NewConstMetric(m.desc, m.kind, value, labels...); err != nil {
		if fresh {
			return refuse(fieldOf(i-r.old), notation(namespace+em.Name, em.Labels, labels), err.Error())
		}
		return nil
	}

	series := seriesOf(em, labels)
	first, twice := r.seen[series]
	if twice && fresh {
		e := &DuplicateError{Series: notation(namespace+em.Name, em.Labels, labels), Sources: [2]int{first + 1, i + 1}}
		if len(em.Labels) > 0 {
			e.Label = em.Labels[0]
		}
		return e
	}
	if !twice {
		r.seen[series] = i
		r.patterns = m.notePattern(r.patterns, labels)
	}
	return nil
}
