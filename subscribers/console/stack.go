package console

import (
	"errors"
	"fmt"
	"strings"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
)

// MaxStack is how many lines of stacks are written below one event.
const MaxStack = 32

// appendStacks appends what is known about where it happened: the goroutines of a
// stuck task, or where a panic came from.
func (w *Writer) appendStacks(b []byte, e *events.Event) []byte {
	if e.Err == nil || e.Kind == events.RetryScheduled {
		return b
	}
	if e.Kind == events.TaskStuck {
		var stuck *actor.StuckError
		if errors.As(e.Err, &stuck) {
			b = indent(b, linesOf(stuck.Goroutines))
		}
		return b
	}
	stack, err := panicIn(e.Err)
	// An error may come up the whole tree: its stack is written once.
	if err == nil || err == w.lastPanic { //nolint:errorlint // the very same, not one like it
		return b
	}
	w.lastPanic = err
	return indent(b, origin(string(stack)))
}

// panicIn finds what has a stack in the chain of err, and returns both.
func panicIn(err error) (stack []byte, has error) {
	var p *actor.PanicError
	if errors.As(err, &p) {
		return p.Stack, p
	}
	var x *actor.GoexitError
	if errors.As(err, &x) {
		return x.Stack, x
	}
	var h *events.HandlerPanic
	if errors.As(err, &h) {
		return h.Stack, h
	}
	return nil, nil
}

// linesOf lists the goroutines of a task, frame by frame.
func linesOf(gs []actor.Goroutine) []string {
	var lines []string
	for _, g := range gs {
		what := "1 goroutine at"
		if g.Count != 1 {
			what = fmt.Sprintf("%d goroutines at", g.Count)
		}
		lines = append(lines, what)
		for frame := range strings.Lines(strings.TrimSpace(g.Stack)) {
			lines = append(lines, "\t"+strings.TrimRight(frame, "\n"))
		}
	}
	return lines
}

// origin drops what caught the panic from the top of its stack: the goroutine's
// headline and all down to the frame of panic itself, or of Goexit.
func origin(stack string) []string {
	lines := strings.Split(strings.TrimSpace(stack), "\n")
	for i, line := range lines {
		thrown := strings.HasPrefix(line, "panic(") || strings.HasPrefix(line, "runtime.Goexit(")
		if thrown && i+2 < len(lines) { // a frame has two lines
			return lines[i+2:]
		}
	}
	return lines
}

// indent appends the lines, as many as MaxStack allows.
func indent(b []byte, lines []string) []byte {
	left := 0
	if len(lines) > MaxStack {
		left = len(lines) - MaxStack
		lines = lines[:MaxStack]
	}
	for _, line := range lines {
		b = append(b, "\t"...)
		b = append(b, strings.TrimRight(line, "\r")...)
		b = append(b, '\n')
	}
	if left > 0 {
		b = fmt.Appendf(b, "\t... and %d more lines\n", left)
	}
	return b
}
