package supervisor

import "github.com/taskvisor/taskvisor/events"

// The figures that a supervisor keeps about the tree below it. The label task is a
// pattern: the path of a declared child, and one path ending in * for all dynamic
// children of a supervisor together, so that series are as few as the lines that
// declare tasks. A supervisor's label is its own pattern.
var (
	tasksMetric = &events.Metric{
		Name: "tasks", Labels: []string{"task", "state"},
		Help: "Tasks by what they are doing now. Those of a supervisor that does not run are stopped.",
	}
	addedMetric = &events.Metric{
		Name: "tasks_added_total", Counter: true, Labels: []string{"task"},
		Help: "Tasks that were added.",
	}
	finishedMetric = &events.Metric{
		Name: "tasks_finished_total", Counter: true, Labels: []string{"task", "outcome"},
		Help: "Tasks that ended for good, by how.",
	}
	startedMetric = &events.Metric{
		Name: "attempts_started_total", Counter: true, Labels: []string{"task"},
		Help: "Attempts that began.",
	}
	endedMetric = &events.Metric{
		Name: "attempts_ended_total", Counter: true, Labels: []string{"task", "exit"},
		Help: "Attempts that ended, by how. One that was abandoned because its task or its group was stopped is not among them.",
	}
	restartsMetric = &events.Metric{
		Name: "task_restarts_total", Counter: true, Labels: []string{"task"},
		Help: "Failures after which the task was to be run again, by itself or with its group.",
	}
	stuckMetric = &events.Metric{
		Name: "attempts_stuck_total", Counter: true, Labels: []string{"task"},
		Help: "Attempts that ignored the end of their context for longer than their grace.",
	}
	abandonedMetric = &events.Metric{
		Name: "attempts_abandoned_total", Counter: true, Labels: []string{"task"},
		Help: "Attempts that were given up while they still ran.",
	}

	upMetric = &events.Metric{
		Name: "supervisor_up", Labels: []string{"supervisor"},
		Help: "Supervisors with that pattern that have started and do not stop: 0 or 1 for a declared one.",
	}
	runsMetric = &events.Metric{
		Name: "supervisor_runs_total", Counter: true, Labels: []string{"supervisor"},
		Help: "How often the supervisor was run.",
	}
	groupsMetric = &events.Metric{
		Name: "supervisor_group_restarts_total", Counter: true, Labels: []string{"supervisor"},
		Help: "Restarts of a group of children because one of them failed.",
	}
	exceededMetric = &events.Metric{
		Name: "supervisor_intensity_exceeded_total", Counter: true, Labels: []string{"supervisor"},
		Help: "How often the supervisor gave up because of too many restarts.",
	}
	intensityMetric = &events.Metric{
		Name: "supervisor_intensity_restarts", Labels: []string{"supervisor"},
		Help: "Restarts that count against the supervisor's intensity now.",
	}
	intensityLimitMetric = &events.Metric{
		Name: "supervisor_intensity_limit", Labels: []string{"supervisor"},
		Help: "Restarts that the supervisor's intensity allows, 0 for no limit.",
	}
	zombiesMetric = &events.Metric{
		Name: "supervisor_zombies", Labels: []string{"supervisor"},
		Help: "Attempts that were given up and have not returned.",
	}
	permitsUsedMetric = &events.Metric{
		Name: "supervisor_permits_used", Labels: []string{"supervisor"},
		Help: "Attempts that hold a permit of the supervisor's concurrency limit.",
	}
	permitsWaitingMetric = &events.Metric{
		Name: "supervisor_permits_waiting", Labels: []string{"supervisor"},
		Help: "Attempts that wait for a permit of the supervisor's concurrency limit.",
	}
	permitsLimitMetric = &events.Metric{
		Name: "supervisor_permits_limit", Labels: []string{"supervisor"},
		Help: "Permits of the supervisor's concurrency limit, 0 for no limit.",
	}
)

// busMetrics are the figures of the subscribers, as the bus keeps them.
var busMetrics = (*events.Bus)(nil).Metrics()

// Metrics returns the figures that Measure reports. It makes a Supervisor an
// events.Source.
func (s *Supervisor) Metrics() []*events.Metric {
	own := []*events.Metric{
		tasksMetric, addedMetric, finishedMetric, startedMetric, endedMetric, restartsMetric, stuckMetric, abandonedMetric,
		upMetric, runsMetric, groupsMetric, exceededMetric, intensityMetric, intensityLimitMetric, zombiesMetric,
		permitsUsedMetric, permitsWaitingMetric, permitsLimitMetric,
	}
	return append(own, busMetrics...)
}
