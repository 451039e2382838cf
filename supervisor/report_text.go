package supervisor

import (
	"slices"
	"strings"
	"time"

	"github.com/taskvisor/taskvisor/events"
)

// How much of the stacks of one stuck task is shown.
const (
	maxStackLines = 40
	maxStackWidth = 160 // runes
)

// String draws the stop as a tree: one task per line in the order in which they ended,
// with the outcome and how long it took from being told, what was returned, and the stacks
// of what did not return. Its length is bounded: of a supervisor with more than 100 stopped
// tasks those are shown that stand out, and few others. The text may change; programs
// read the fields.
func (r StopReport) String() string {
	var o outline
	head := "stop of " + r.Path + " took " + brief(r.Took)
	if r.Error != "" {
		head += ", because of " + quote(r.Error)
	}
	if r.Rejected > 0 {
		head += ", " + thousands(r.Rejected) + " that waited were rejected"
	}
	o.add(head)
	o.stops(&r, "")
	return o.String()
}

// stops adds what was stopped. left is what is left of its lines.
func (o *outline) stops(r *StopReport, left string) {
	picked := pick(len(r.Stops), func(i int) int { return r.Stops[i].rank() })
	slices.Sort(picked)
	slowest, shown, all := r.slowest(), 0, len(r.Stops)+r.Omitted
	standing := r.standing()
	for _, i := range picked {
		if o.full() {
			break
		}
		t := &r.Stops[i]
		if t.rank() < maxRank {
			standing--
		}
		edge, under := branch, trunk
		if shown++; shown == all {
			edge, under = corner, blank
		}
		name := strings.TrimPrefix(t.Path, strings.TrimSuffix(r.Path, "/")+"/")
		o.add(left+edge+name, t.Outcome.String(), brief(t.Took), strings.Join(t.remarks(r, t == slowest), ", "))
		o.stacks(t, left+under)
		if t.Below != nil {
			o.stops(t.Below, left+under)
		}
	}
	if more := all - shown; more > 0 {
		rest := "… and " + thousands(more) + " more"
		if standing > 0 {
			rest += ", " + thousands(standing) + " of them slow, stuck or with an error"
		}
		o.add(left + corner + rest)
	}
}

// stacks adds where a task is stuck.
func (o *outline) stacks(t *StoppedTask, left string) {
	if t.Stuck == nil {
		return
	}
	lines := strings.Split(strings.TrimSpace(t.Stuck.Traces()), "\n")
	more := len(lines) - maxStackLines
	for _, line := range lines[:min(len(lines), maxStackLines)] {
		o.add(left + "   " + shorten(strings.ReplaceAll(line, "\t", "  "), maxStackWidth))
	}
	if more > 0 {
		o.add(left + "   … and " + count(more, "line") + " more")
	}
}

// rank is how much a task deserves a line of its own, the lowest most.
func (t *StoppedTask) rank() int {
	switch {
	case t.Stuck != nil:
		return 0
	case t.Error != "" || t.StopError != "":
		return 1
	case t.Took > slowEnd || (t.Below != nil && (t.Below.Error != "" || t.Below.standing() > 0)):
		return 2
	}
	return maxRank
}

// standing is how many of the tasks stand out.
func (r *StopReport) standing() (n int) {
	for i := range r.Stops {
		if r.Stops[i].rank() < maxRank {
			n++
		}
	}
	return n
}

// slowest returns the task that took longer than each of the others, if there is one.
func (r *StopReport) slowest() (t *StoppedTask) {
	var longest time.Duration
	for i := range r.Stops {
		switch s := &r.Stops[i]; {
		case s.Earlier:
		case s.Took.Round(time.Millisecond) > longest:
			t, longest = s, s.Took.Round(time.Millisecond)
		case s.Took.Round(time.Millisecond) == longest:
			t = nil
		}
	}
	if len(r.Stops)+r.Omitted == 1 {
		return nil
	}
	return t
}

// remarks are what is worth saying besides.
func (t *StoppedTask) remarks(r *StopReport, slowest bool) (words []string) {
	say := func(worth bool, what string) {
		if worth {
			words = append(words, what)
		}
	}
	after := t.Told.Sub(r.Began).Round(time.Millisecond)
	switch {
	case t.Earlier:
		say(true, "abandoned before the stop, and has still not returned")
	case t.Told.IsZero():
		say(true, "by itself")
	case after > 0:
		say(true, "told after "+brief(after))
	case after < 0:
		say(true, "told "+brief(-after)+" before the stop")
	}
	say(slowest, "the slowest")
	say(t.Reason > 0 && t.Reason != events.ReasonShutdown, "reason "+t.Reason.String())
	say(t.Error != "", "error "+quote(t.Error))
	say(t.StopError != "", "returned "+quote(t.StopError))
	return words
}
