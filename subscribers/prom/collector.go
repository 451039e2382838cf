package prom

import (
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/taskvisor/taskvisor/events"
)

// namespace is what all names begin with.
const namespace = "taskvisor_"

// These are the labels that this package knows. The others belong to the sources.
const (
	taskLabel       = "task"
	subscriberLabel = "subscriber"
	controllerLabel = "controller"
	queueLabel      = "queue"
	typeLabel       = "type"
	outcomeLabel    = "outcome"
)

// Collector is a prometheus.Collector of what its sources report, and an
// [events.Handler] that keeps histograms of durations. Its zero value is ready. Its
// fields are set before the first call of a method and not changed afterwards. All
// methods may be called concurrently. A Collector must not be copied.
type Collector struct {
	// AttemptBuckets and TaskBuckets are the upper bounds, in seconds, of the
	// histograms of how long attempts and tasks took. Empty means DurationBuckets.
	AttemptBuckets, TaskBuckets []float64
	// BackoffBuckets are those of the pauses before retries. Empty means
	// DelayBuckets.
	BackoffBuckets []float64
	// JobWaitBuckets and JobRunBuckets are those of how long stored jobs waited to be run,
	// and of how long the attempts at them took. Empty means DurationBuckets.
	JobWaitBuckets, JobRunBuckets []float64
	// NativeHistogramBucketFactor makes native histograms beside the classic ones,
	// for a Prometheus that scrapes them: each bucket is at most that much wider
	// than the one below. It is more than 1, such as 1.1; zero means none.
	NativeHistogramBucketFactor float64

	once    sync.Once
	kept    *histograms // set by once
	refused error       // set by once: why there are none

	mu    sync.Mutex            // taken to change what follows
	told  bool                  // guarded by mu: a registry has been told of the metrics
	shown atomic.Pointer[shown] // nil before the first source
}

// New returns a Collector of what the sources report, with the default buckets. A
// Collector whose subscriber is to be in the Config of a supervisor has to be there
// before the supervisor is: use a zero one then, and Add.
func New(sources ...events.Source) (*Collector, error) {
	c := new(Collector)
	if err := c.Add(sources...); err != nil {
		return nil, err
	}
	return c, nil
}

// Add has the Collector show what the sources report: all of them, or none if there is
// an error. The first sources are added before the Collector is registered. Others may
// follow at any time if their metrics are the same, as those of supervisors are.
//
// The error is a *policy.FieldError for no source, a nil one, one that does not fit to
// the others or to Prometheus, and for a field of the Collector that cannot be used. It
// is a *DuplicateError when two sources report the same series. An overlap that appears
// only later does not break a scrape: what was added first is shown.
func (c *Collector) Add(sources ...events.Source) error {
	h, err := c.histograms()
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	next, patterns, err := c.shown.Load().with(sources, c.told)
	if err != nil {
		return err
	}
	h.report(patterns)
	c.shown.Store(next)
	return nil
}

// Describe tells a registry of all metrics. It makes a Collector a
// prometheus.Collector. A registry refuses one that has no source yet, or whose fields
// cannot be used, with a *policy.FieldError.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	h, err := c.histograms()
	if err != nil {
		ch <- prometheus.NewInvalidDesc(err)
		return
	}
	c.mu.Lock()
	s := c.shown.Load()
	c.told = s != nil
	c.mu.Unlock()
	if s == nil {
		ch <- prometheus.NewInvalidDesc(refuse("sources", nil, "there are none yet: Add them before the Collector is registered"))
		return
	}
	h.describe(ch)
	for _, m := range s.metrics {
		ch <- m.desc
	}
}

// Collect asks the sources for their figures, and adds the histograms once there is a
// subscriber. It makes a Collector a prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	h, err := c.histograms()
	if err != nil {
		return // no registry has accepted it
	}
	if s := c.shown.Load(); s != nil {
		h.report(s.collect(ch))
	}
	h.collect(ch)
}

// queue is the Queue of the subscriber: the handler is quick, so what has to fit is what
// a whole machine publishes while the handler's goroutine waits for its turn. Memory is
// used only as events wait.
const queue = 1 << 14

// Subscriber returns a subscriber named "prometheus" whose events feed the histograms,
// which are collected from now on. It may be put on several buses.
func (c *Collector) Subscriber() events.Subscriber {
	if h, err := c.histograms(); err == nil {
		h.wanted.Store(true)
	}
	return events.Subscriber{
		Name: "prometheus", Handler: c, Queue: queue, Silent: true,
		Kinds: []events.Kind{
			events.AttemptEnded, events.RetryScheduled, events.TaskFinished,
			events.JobStarted, events.JobRetryScheduled, events.JobCompleted, events.JobFailed, events.JobDeadLettered,
		},
	}
}

// Handle observes the duration that e states, if there is a histogram for it.
func (c *Collector) Handle(e events.Event) {
	if h, err := c.histograms(); err == nil {
		h.observe(&e)
	}
}

// histograms returns those of the Collector, made at the first call.
func (c *Collector) histograms() (*histograms, error) {
	c.once.Do(func() { c.kept, c.refused = newHistograms(c) })
	return c.kept, c.refused
}
