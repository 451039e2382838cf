package main

import (
	"fmt"
	"time"

	"github.com/taskvisor/taskvisor/events"
)

// alerter calls somebody when a task cannot help itself, and once more when it can. It
// is called with one event after the other, so its state needs no lock.
type alerter struct {
	notify   func(text string)
	failures int           // that many
	window   time.Duration // within this are too many
	coolDown time.Duration // how long a path is not alerted again
	tasks    map[string]*trouble
}

// trouble is what is known of a path.
type trouble struct {
	failed  []time.Time // the latest failures
	alerted time.Time   // when the latest alert was
	open    bool        // it has not been resolved
}

func (a *alerter) subscriber() events.Subscriber {
	return events.Subscriber{Name: "alerts", Handler: a, Kinds: []events.Kind{
		events.AttemptEnded, events.TaskReady, events.TaskStuck, events.TaskFinished, events.TaskRemoved, events.IntensityExceeded,
	}}
}

func (a *alerter) Handle(e events.Event) {
	switch e.Kind {
	case events.TaskStuck:
		a.alert(e, "is stuck")
	case events.IntensityExceeded:
		a.alert(e, "has children that fail too often")
	case events.AttemptEnded:
		if e.Exit.IsFailure() {
			a.failed(e)
		} else {
			a.resolve(e)
		}
	case events.TaskFinished:
		if e.Outcome == events.Failed || e.Outcome == events.Abandoned {
			a.alert(e, "gave up")
		} else {
			a.resolve(e)
		}
	case events.TaskReady:
		a.resolve(e)
	case events.TaskRemoved:
		delete(a.tasks, e.Path)
	}
}

// failed alerts when too many failures lie within the window.
func (a *alerter) failed(e events.Event) {
	t := a.trouble(e.Path)
	t.failed = append(t.failed, e.At)
	if n := len(t.failed) - a.failures; n >= 0 {
		t.failed = t.failed[n:]
		if e.At.Sub(t.failed[0]) <= a.window {
			a.alert(e, fmt.Sprintf("failed %d times within %v", a.failures, a.window))
		}
	}
}

// alert is silent about a path that it told of a short while ago.
func (a *alerter) alert(e events.Event, what string) {
	t := a.trouble(e.Path)
	if !t.alerted.IsZero() && e.At.Sub(t.alerted) < a.coolDown {
		return
	}
	t.alerted, t.open = e.At, true
	a.notify(fmt.Sprintf("ALERT: %s %s: %v", e.Path, what, e.Err))
}

func (a *alerter) resolve(e events.Event) {
	if t := a.tasks[e.Path]; t != nil && t.open {
		t.open = false
		a.notify("RESOLVED: " + e.Path)
	}
}

func (a *alerter) trouble(path string) *trouble {
	if a.tasks[path] == nil {
		a.tasks[path] = new(trouble)
	}
	return a.tasks[path]
}
