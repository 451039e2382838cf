package prom

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/taskvisor/taskvisor/events"
)

const (
	attemptName = namespace + "attempt_duration_seconds"
	taskName    = namespace + "task_duration_seconds"
	backoffName = namespace + "backoff_delay_seconds"
)

var histogramNames = []string{attemptName, taskName, backoffName, jobWaitName, jobRunName}

// MaxUnreported is how many patterns that no source reports have histograms of their
// own. What is observed of others is counted together, as [Other].
const MaxUnreported = 1000

// Other is the label task of what is observed beyond [MaxUnreported], and the label type
// of what is observed beyond [MaxTypes]. No pattern is like it, since all begin with a
// slash.
const Other = "other"

// DurationBuckets returns the default buckets of attempts and of tasks: from a
// millisecond to a day in steps of about five. A task may crash at once, do its job in
// seconds or serve for weeks, so the range is worth more than the resolution, and each
// bucket is a series per task. Ten seconds are the default grace, and a minute is the
// default ResetAfter: what lasted longer was healthy.
func DurationBuckets() []float64 {
	return []float64{0.001, 0.005, 0.025, 0.1, 0.5, 2, 10, 60, 300, 1800, 7200, 86400}
}

// DelayBuckets returns the default buckets of the pauses before retries. Up to 30 s each
// is one step of the default backoff, whose jitter stays within it, so that the bucket
// tells how many failures in a row there were. Those above are for longer pauses, that a
// spec or a task has asked for.
func DelayBuckets() []float64 {
	return []float64{0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 30, 120, 600}
}

// histograms are what events feed.
type histograms struct {
	attempts, tasks, backoffs *prometheus.HistogramVec
	jobs                      jobHistograms
	wanted                    atomic.Bool // there is a subscriber

	mu sync.RWMutex
	// All below is guarded by mu.
	of         map[string]*observers // by pattern
	unreported int                   // patterns that no source has reported
}

// observers are the histograms of one pattern.
type observers struct {
	attempt, task, backoff prometheus.Observer
	reported               bool // guarded by histograms.mu: by a source
}

// newHistograms makes those of c's fields, or says which field cannot be used.
func newHistograms(c *Collector) (*histograms, error) {
	factor := c.NativeHistogramBucketFactor
	if factor != 0 && !(factor > 1 && factor <= math.MaxFloat64) {
		return nil, refuse("NativeHistogramBucketFactor", factor, "must be more than 1")
	}
	h := &histograms{of: map[string]*observers{}, jobs: jobHistograms{of: map[string]*jobObservers{}}}
	for _, v := range []struct {
		vec                *(*prometheus.HistogramVec)
		name, help, field  string
		buckets, otherwise []float64
		labels             []string
	}{
		{&h.attempts, attemptName, "How long attempts took, from the start to the return.", "AttemptBuckets", c.AttemptBuckets, DurationBuckets(), []string{taskLabel}},
		{&h.tasks, taskName, "How long tasks took to end for good, since they were added.", "TaskBuckets", c.TaskBuckets, DurationBuckets(), []string{taskLabel}},
		{&h.backoffs, backoffName, "Pauses between a failure and the next attempt.", "BackoffBuckets", c.BackoffBuckets, DelayBuckets(), []string{taskLabel}},
		{&h.jobs.waits, jobWaitName, "How long stored jobs had been ready when they were given to their handler.", "JobWaitBuckets", c.JobWaitBuckets, DurationBuckets(), []string{typeLabel}},
		{&h.jobs.runs, jobRunName, "How long attempts at stored jobs took.", "JobRunBuckets", c.JobRunBuckets, DurationBuckets(), []string{typeLabel, outcomeLabel}},
	} {
		bounds := append([]float64(nil), v.buckets...)
		if len(bounds) == 0 {
			bounds = v.otherwise
		}
		if err := checkBuckets(v.field, bounds); err != nil {
			return nil, err
		}
		*v.vec = prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: v.name, Help: v.help, Buckets: bounds, NativeHistogramBucketFactor: factor,
			// Without a bound a native histogram grows with what is observed. When
			// it is reached buckets are merged: a reset would lose what was counted.
			NativeHistogramMaxBucketNumber: 160,
		}, v.labels)
	}
	return h, nil
}

// checkBuckets refuses what would panic when the first histogram is made.
func checkBuckets(field string, bounds []float64) error {
	for i, b := range bounds {
		at := fmt.Sprintf("%s[%d]", field, i)
		if math.IsNaN(b) {
			return refuse(at, b, "must be a number")
		}
		if i > 0 && b <= bounds[i-1] {
			return refuse(at, b, "must be more than the one before it")
		}
	}
	return nil
}

// observe takes the duration of an event to its histogram. A pause after a success is
// no backoff.
func (h *histograms) observe(e *events.Event) {
	switch {
	case e.Kind == events.AttemptEnded:
		h.find(e.Pattern).attempt.Observe(e.Elapsed.Seconds())
	case e.Kind == events.TaskFinished:
		h.find(e.Pattern).task.Observe(e.Elapsed.Seconds())
	case e.Kind == events.RetryScheduled && e.Exit.IsFailure():
		h.find(e.Pattern).backoff.Observe(e.Delay.Seconds())
	default:
		h.jobs.observe(e)
	}
}

// find returns the observers of a pattern, or those of all others.
func (h *histograms) find(pattern string) *observers {
	h.mu.RLock()
	o := h.of[pattern]
	h.mu.RUnlock()
	if o != nil {
		return o
	}

	h.mu.Lock()
	defer h.mu.Unlock()
	if o = h.of[pattern]; o != nil {
		return o
	}
	if pattern != "" && h.unreported < MaxUnreported {
		if o = h.open(pattern); o != nil {
			h.unreported++
			return o
		}
	}
	if o = h.of[Other]; o == nil {
		o = h.open(Other)
	}
	return o
}

// open makes the histograms of a pattern, unless it cannot be a label. Hold mu.
func (h *histograms) open(pattern string) *observers {
	attempt, err := h.attempts.GetMetricWithLabelValues(pattern)
	if err != nil {
		return nil // not UTF-8, so not from a supervisor
	}
	o := &observers{
		attempt: attempt,
		task:    h.tasks.WithLabelValues(pattern),
		backoff: h.backoffs.WithLabelValues(pattern),
	}
	h.of[pattern] = o
	return o
}

// report makes the histograms of patterns that sources have, before anything is
// observed.
func (h *histograms) report(patterns []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range patterns {
		o := h.of[p]
		switch {
		case o == nil:
			if o = h.open(p); o == nil {
				continue
			}
		case !o.reported && p != Other:
			h.unreported--
		}
		o.reported = true
	}
}

func (h *histograms) describe(ch chan<- *prometheus.Desc) {
	h.attempts.Describe(ch)
	h.tasks.Describe(ch)
	h.backoffs.Describe(ch)
	h.jobs.waits.Describe(ch)
	h.jobs.runs.Describe(ch)
}

func (h *histograms) collect(ch chan<- prometheus.Metric) {
	if h.wanted.Load() {
		h.attempts.Collect(ch)
		h.tasks.Collect(ch)
		h.backoffs.Collect(ch)
		h.jobs.waits.Collect(ch)
		h.jobs.runs.Collect(ch)
	}
}
