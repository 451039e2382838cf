package prom

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/taskvisor/taskvisor/events"
)

const (
	jobWaitName = namespace + "job_wait_seconds"
	jobRunName  = namespace + "job_run_seconds"
)

// MaxTypes is how many types of stored jobs have histograms of their own. What is
// observed of others is counted together, as [Other].
const MaxTypes = 1000

// jobOutcome is what an attempt at a job came to, as a label says it.
type jobOutcome int

const (
	jobCompleted jobOutcome = iota
	jobRetry
	jobFailed
	jobDeadLetter
	jobOutcomes // how many there are
)

var jobOutcomeLabels = [jobOutcomes]string{"completed", "retry", "failed", "dead_letter"}

// jobHistograms are what the events about stored jobs feed.
type jobHistograms struct {
	waits, runs *prometheus.HistogramVec

	mu sync.RWMutex
	of map[string]*jobObservers // by type; guarded by mu
}

// jobObservers are the histograms of one type.
type jobObservers struct {
	wait prometheus.Observer
	run  [jobOutcomes]prometheus.Observer
}

// observe takes the duration of an event about a job to its histogram.
func (h *jobHistograms) observe(e *events.Event) {
	how := jobCompleted
	switch e.Kind {
	case events.JobStarted:
		h.find(e.Job).wait.Observe(e.Elapsed.Seconds())
		return
	case events.JobCompleted:
	case events.JobRetryScheduled:
		how = jobRetry
	case events.JobFailed:
		how = jobFailed
	case events.JobDeadLettered:
		how = jobDeadLetter
	default:
		return
	}
	h.find(e.Job).run[how].Observe(e.Elapsed.Seconds())
}

// find returns the observers of a job's type, or those of all others.
func (h *jobHistograms) find(j *events.Job) *jobObservers {
	name := Other
	if j != nil && j.Type != "" {
		name = j.Type
	}
	h.mu.RLock()
	o := h.of[name]
	h.mu.RUnlock()
	if o != nil {
		return o
	}

	h.mu.Lock()
	defer h.mu.Unlock()
	if o = h.of[name]; o != nil {
		return o
	}
	if len(h.of) < MaxTypes {
		if o = h.open(name); o != nil {
			return o
		}
	}
	if o = h.of[Other]; o == nil {
		o = h.open(Other)
	}
	return o
}

// open makes the histograms of a type, of all outcomes at once: a rate does not see the
// first value of a series. It returns nil for what cannot be a label. Hold mu.
func (h *jobHistograms) open(name string) *jobObservers {
	wait, err := h.waits.GetMetricWithLabelValues(name)
	if err != nil {
		return nil
	}
	o := &jobObservers{wait: wait}
	for how, label := range jobOutcomeLabels {
		o.run[how] = h.runs.WithLabelValues(name, label)
	}
	h.of[name] = o
	return o
}
