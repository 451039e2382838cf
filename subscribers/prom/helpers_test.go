package prom_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/subscribers/prom"
)

// figures are the values of a scrape, by series, without "taskvisor_" and with the labels
// in the order of their names: tasks{state="running",task="/app/db"}. Of a histogram there
// are its _count, its _sum and its _bucket series.
type figures map[string]float64

// scrape does what Prometheus does: it asks the handler and parses the text.
func scrape(t testing.TB, reg prometheus.Gatherer) figures {
	t.Helper()
	answer := httptest.NewRecorder()
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if answer.Code != http.StatusOK {
		t.Errorf("the scrape is answered with %d:\n%s", answer.Code, answer.Body)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(answer.Body)
	if err != nil {
		t.Errorf("the text cannot be parsed: %v", err)
	}
	return flatten(families)
}

// gather is scrape without the text, which takes its time when there are many series.
func gather(t testing.TB, c prometheus.Collector) figures {
	t.Helper()
	reg := prometheus.NewRegistry()
	if err := reg.Register(c); err != nil {
		t.Fatal(err)
	}
	all, err := reg.Gather()
	if err != nil {
		t.Error(err)
	}
	families := map[string]*dto.MetricFamily{}
	for _, f := range all {
		families[f.GetName()] = f
	}
	return flatten(families)
}

func flatten(families map[string]*dto.MetricFamily) figures {
	f := figures{}
	for name, family := range families {
		name = strings.TrimPrefix(name, "taskvisor_")
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, pair := range m.GetLabel() {
				labels[pair.GetName()] = pair.GetValue()
			}
			switch h := m.GetHistogram(); {
			case m.GetCounter() != nil:
				f[series(name, labels)] = m.GetCounter().GetValue()
			case m.GetGauge() != nil:
				f[series(name, labels)] = m.GetGauge().GetValue()
			case h != nil:
				f[series(name+"_count", labels)] = float64(h.GetSampleCount())
				f[series(name+"_sum", labels)] = h.GetSampleSum()
				labels["le"] = "+Inf" // not always among the buckets
				f[series(name+"_bucket", labels)] = float64(h.GetSampleCount())
				for _, b := range h.GetBucket() {
					labels["le"] = fmt.Sprint(b.GetUpperBound())
					f[series(name+"_bucket", labels)] = float64(b.GetCumulativeCount())
				}
			}
		}
	}
	return f
}

func series(name string, labels map[string]string) string {
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		pairs = append(pairs, fmt.Sprintf("%s=%q", key, labels[key]))
	}
	return name + "{" + strings.Join(pairs, ",") + "}"
}

// about returns the figures of one metric.
func (f figures) about(name string) figures {
	some := figures{}
	for series, value := range f {
		if strings.HasPrefix(series, name+"{") {
			some[series] = value
		}
	}
	return some
}

// expect has an error for each figure that is not as wanted.
func (f figures) expect(t *testing.T, want figures) {
	t.Helper()
	for _, series := range slices.Sorted(maps.Keys(want)) {
		if got, there := f[series]; !there {
			t.Errorf("%s is missing", series)
		} else if got != want[series] {
			t.Errorf("%s is %v, want %v", series, got, want[series])
		}
	}
}

// equal is expect, and there is nothing else.
func (f figures) equal(t *testing.T, want figures) {
	t.Helper()
	f.expect(t, want)
	for _, series := range slices.Sorted(maps.Keys(f)) {
		if _, there := want[series]; !there {
			t.Errorf("%s is there", series)
		}
	}
}

// register returns a registry that checks what it gathers.
func register(t testing.TB, c prometheus.Collector) *prometheus.Registry {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	if err := reg.Register(c); err != nil {
		t.Fatal(err)
	}
	return reg
}

// collectorOf returns a Collector of the sources.
func collectorOf(t testing.TB, sources ...events.Source) *prom.Collector {
	t.Helper()
	c, err := prom.New(sources...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// source is an events.Source that reports what it was told to.
type source struct {
	metrics []*events.Metric
	figures []figure
}

type figure struct {
	metric *events.Metric
	value  float64
	labels []string
}

func (s *source) Metrics() []*events.Metric { return s.metrics }

func (s *source) Measure(report func(m *events.Metric, value float64, labels ...string)) {
	for _, f := range s.figures {
		report(f.metric, f.value, f.labels...)
	}
}

// reports returns a source with a metric and its figures.
func reports(m *events.Metric, figures ...figure) *source {
	for i := range figures {
		figures[i].metric = m
	}
	return &source{metrics: []*events.Metric{m}, figures: figures}
}

// idle runs until it is told to stop.
func idle(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// close enough: sums are added in another order.
func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*(1+math.Abs(a)+math.Abs(b)) }
