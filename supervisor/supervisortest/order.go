package supervisortest

import (
	"fmt"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// order follows the events of a family with an ordered strategy, and finds what happens
// out of order: a child that is told to stop while a younger one runs, that starts while
// a younger one has not ended, or that starts before an older one is up.
type order struct {
	family   *kin
	children []*place
	byPath   map[string]int
	offends  int // the last child that failed
	wrong    []string
}

// place is one child of the family, as far as the events have come.
type place struct {
	*kin
	runs  bool // it has an attempt
	begun bool // its turn in the start order has come: the attempt is not from before the restart
	ready bool
	over  bool // it has ended
	done  bool // with success
	alone bool // its next attempt concerns nobody else: after a success, or a restart by hand
}

func newOrder(family *kin) *order {
	o := &order{family: family, byPath: map[string]int{}}
	for i, k := range family.children {
		c := &place{kin: k, begun: true, ready: true, over: k.State.Ended(), done: k.State == supervisor.StateCompleted}
		c.runs = !c.over && k.State != supervisor.StateBackingOff
		o.children = append(o.children, c)
		o.byPath[k.Path] = i
	}
	return o
}

// follow returns what is out of order.
func (o *order) follow(seen []events.Event) []string {
	for _, e := range seen {
		if i, ok := o.byPath[e.Path]; ok {
			o.child(i, e)
		} else if e.Path == o.family.Path {
			o.supervisor(e)
		}
	}
	return o.wrong
}

func (o *order) supervisor(e events.Event) {
	switch e.Kind {
	case events.GroupRestarting:
		from := o.offends
		if o.family.cfg.Strategy == supervisor.OneForAll {
			from = 0
		}
		for _, c := range o.children[from:] {
			c.begun, c.ready, c.alone = false, false, false
			c.over = c.over && (!c.done || c.runsOnce())
		}
	case events.SupervisorStopped: // the next run starts all
		for _, c := range o.children {
			*c = place{kin: c.kin}
		}
	}
}

func (o *order) child(i int, e events.Event) {
	c := o.children[i]
	switch e.Kind {
	case events.TaskStopping:
		c.alone = e.Reason == events.ReasonRestarted
		if e.Reason == events.ReasonGroup || e.Reason == events.ReasonShutdown {
			o.noneYounger(i, "was told to stop", e, func(c *place) bool { return c.runs })
		}
	case events.AttemptStarted:
		if !c.alone {
			o.noneYounger(i, "started", e, func(c *place) bool { return c.runs && !c.begun })
			o.allElders(i, e)
		}
		c.runs, c.begun, c.over, c.alone = true, true, false, false
		c.ready = !c.spec.AwaitReady
	case events.TaskReady:
		c.ready = true
	case events.AttemptEnded:
		c.runs = false
		c.alone = c.alone || e.Exit == policy.Succeeded
		if e.Exit.IsFailure() {
			o.offends = i
		}
	case events.TaskAbandoned:
		c.runs = false
	case events.TaskFinished:
		c.runs, c.over, c.done = false, true, e.Outcome == events.Completed
	}
}

// noneYounger says so if a younger sibling is still there.
func (o *order) noneYounger(i int, did string, e events.Event, there func(*place) bool) {
	for _, younger := range o.children[i+1:] {
		if there(younger) {
			o.complain("%s %s while %s still ran: %v", o.children[i].Path, did, younger.Path, e)
			return
		}
	}
}

// allElders says so if an older sibling is not up. One that has no permit yet is not
// waited for, and neither is an optional one.
func (o *order) allElders(i int, e events.Event) {
	for _, elder := range o.children[:i] {
		switch {
		case elder.over:
		case elder.spec.AwaitReady && !elder.spec.Optional:
			if !elder.ready {
				o.complain("%s started before %s was ready: %v", o.children[i].Path, elder.Path, e)
				return
			}
		case !elder.begun && (elder.spec.NoPermit || !o.family.isLimited()):
			o.complain("%s started before %s had: %v", o.children[i].Path, elder.Path, e)
			return
		}
	}
}

// isLimited says that attempts below k may have to wait for a permit.
func (k *kin) isLimited() bool {
	for ; k != nil; k = k.up {
		if k.cfg.Concurrency > 0 {
			return true
		}
	}
	return false
}

func (o *order) complain(format string, args ...any) {
	o.wrong = append(o.wrong, fmt.Sprintf(format, args...))
}
