package console

import (
	"errors"
	"fmt"
	"strings"

	"github.com/taskvisor/taskvisor/events"
)

// MaxStack is how many lines of stacks are written below one event.
const MaxStack = 32

// appendStacks appends what is known about where it happened: the goroutines of a
// stuck task, or where a panic came from.
func (w *Writer) appendStacks(b []byte, e *events.Event) []byte {
	if e.Kind == events.RetryScheduled || e.Kind == events.TaskAbandoned {
		return b // the event before it has shown them
	}
	var traced events.Traced
	if !errors.As(e.Err, &traced) {
		return b
	}
	// An error may come up the whole tree: its stack is written once.
	if traced == w.lastTraced { //nolint:errorlint // the very same, not one like it
		return b
	}
	w.lastTraced = traced
	return indent(b, strings.Split(strings.TrimSpace(traced.Traces()), "\n"))
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
