package controller

import (
	"sync/atomic"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
)

// The figures of a controller. The label controller is the Name of its Config, which
// is all that is known of it before it runs.
var (
	slotsMetric = &events.Metric{
		Name: "controller_slots", Labels: []string{"controller"},
		Help: "Keys for which something runs.",
	}
	ownersMetric = &events.Metric{
		Name: "controller_owners", Labels: []string{"controller"},
		Help: "Tasks that have a place, those included that wait for a permit or for their next attempt.",
	}
	queuedMetric = &events.Metric{
		Name: "controller_queued", Labels: []string{"controller"},
		Help: "Submissions that wait for their turn.",
	}
	parkedMetric = &events.Metric{
		Name: "controller_parked", Labels: []string{"controller"},
		Help: "Submissions among them that have to wait above the capacity, so that their callers wait too.",
	}
	capacityMetric = &events.Metric{
		Name: "controller_capacity", Labels: []string{"controller"},
		Help: "How many submissions may wait before their callers have to, 0 for no limit.",
	}
	submittedMetric = &events.Metric{
		Name: "controller_submissions_total", Counter: true, Labels: []string{"controller", "admission"},
		Help: "Submissions, by what was to become of them if their key had no free place.",
	}
	enteredMetric = &events.Metric{
		Name: "controller_entered_total", Counter: true, Labels: []string{"controller"},
		Help: "Submissions that were given a place, at once or after a wait.",
	}
	replacedMetric = &events.Metric{
		Name: "controller_replaced_total", Counter: true, Labels: []string{"controller"},
		Help: "Owners that were told to end because another was to have their place.",
	}
	rejectedMetric = &events.Metric{
		Name: "controller_rejected_total", Counter: true, Labels: []string{"controller", "reason"},
		Help: "Submissions that were rejected, by why.",
	}
)

var metrics = []*events.Metric{
	slotsMetric, ownersMetric, queuedMetric, parkedMetric, capacityMetric,
	submittedMetric, enteredMetric, replacedMetric, rejectedMetric,
}

// rejections are the reasons for which a submission may be rejected.
var rejections = []events.Reason{
	events.ReasonBusy, events.ReasonFull, events.ReasonSuperseded, events.ReasonWithdrawn,
	events.ReasonExpired, events.ReasonClosing, events.ReasonDuplicate,
}

// counts are what has been decided, in all runs.
type counts struct {
	submitted         [DropIfRunning + 1]atomic.Uint64
	rejected          [events.ReasonDuplicate + 1]atomic.Uint64
	entered, replaced atomic.Uint64
}

func noneIfUnlimited(n int) int {
	if n == policy.Unlimited {
		return 0
	}
	return n
}

// Metrics returns all that Measure reports.
func (c *Controller) Metrics() []*events.Metric { return append([]*events.Metric(nil), metrics...) }

// Measure reports how full the controller is, and what it has decided. The figures of
// the tasks that it runs are among those of the tree in which it hangs. A controller is
// told from others by the Name of its Config.
func (c *Controller) Measure(report func(m *events.Metric, value float64, labels ...string)) {
	name := c.cfg.Name
	var slots, owners, queued, parked int
	if d := c.desk(); d != nil {
		d.door.Lock()
		slots, queued, parked = len(d.slots), d.queued, d.room.parked.Len()
		owners = d.entries.Len() - queued
		d.door.Unlock()
	}
	report(slotsMetric, float64(slots), name)
	report(ownersMetric, float64(owners), name)
	report(queuedMetric, float64(queued), name)
	report(parkedMetric, float64(parked), name)
	report(capacityMetric, float64(noneIfUnlimited(c.cfg.Capacity)), name)
	for a := Queue; a <= DropIfRunning; a++ {
		report(submittedMetric, float64(c.counts.submitted[a].Load()), name, a.String())
	}
	report(enteredMetric, float64(c.counts.entered.Load()), name)
	report(replacedMetric, float64(c.counts.replaced.Load()), name)
	for _, why := range rejections {
		report(rejectedMetric, float64(c.counts.rejected[why].Load()), name, why.String())
	}
}
