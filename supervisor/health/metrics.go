package health

import "github.com/taskvisor/taskvisor/events"

// The figures of an app's health. The label supervisor is the path of its root.
var (
	readyMetric = &events.Metric{
		Name: "health_ready", Labels: []string{"supervisor"},
		Help: "Whether the app should be sent requests: 1 if it is ready or degraded, otherwise 0.",
	}
	liveMetric = &events.Metric{
		Name: "health_live", Labels: []string{"supervisor"},
		Help: "Whether the process of the app should go on: 1 if it is live, otherwise 0.",
	}
	problemsMetric = &events.Metric{
		Name: "health_problems", Labels: []string{"supervisor", "severity"},
		Help: "Tasks and supervisors that are not in order, by what that does to readiness. An app with a critical one is not ready.",
	}
)

// Metrics returns the figures that Measure reports. It makes a Checker an
// events.Source.
func (c *Checker) Metrics() []*events.Metric {
	return []*events.Metric{readyMetric, liveMetric, problemsMetric}
}

// Measure reports the answers of Readiness and Liveness as figures, and how many
// problems there are for readiness, all of them counted. It is a look at the tree
// like that of any probe.
func (c *Checker) Measure(report func(m *events.Metric, value float64, labels ...string)) {
	j := c.look()
	ready, live, root := j.ready(j.root), j.liveness(j.root), j.root.Path
	report(readyMetric, one(ready.report.Status.OK()), root)
	report(liveMetric, one(live.Status.OK()), root)

	var problems [Optional + 1]int
	for _, f := range ready.found {
		problems[f.severity]++
	}
	for _, s := range severities.Values() {
		report(problemsMetric, float64(problems[s]), root, s.String())
	}
}

func one(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
