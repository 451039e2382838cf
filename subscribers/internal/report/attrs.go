package report

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/taskvisor/taskvisor/events"
)

// Attrs returns the fields of the line: those of the event, under the keys of its
// LogValue, then failures, repeats, healthy and stack, as far as they are said. The first
// generation is not: hardly any task has a second one. The error is an error, or its text
// if that can only be had by means of fmt.
func (l *Line) Attrs() []slog.Attr {
	e := l.Event
	if e.Generation == 1 {
		e.Generation = 0
	}
	as := e.LogValue().Group()
	for i, a := range as {
		if a.Key == "error" {
			as[i] = slog.Any(a.Key, printable(l.Event.Err))
		}
	}
	if l.Failures != 0 {
		as = append(as, slog.Uint64("failures", l.Failures))
	}
	if l.Repeats != 0 {
		as = append(as, slog.Uint64("repeats", l.Repeats))
	}
	if l.Healthy != 0 {
		as = append(as, slog.Duration("healthy", l.Healthy))
	}
	if l.Stack != "" {
		as = append(as, slog.String("stack", l.Stack))
	}
	return as
}

// printable returns err, or a text in its place: the one that fmt finds if its own
// method panics, and the first line of one that goes on with stacks, which have a field
// of their own.
func printable(err error) (v any) {
	defer func() {
		if recover() != nil {
			v = fmt.Sprint(err)
		}
	}()
	if line, _, more := strings.Cut(err.Error(), "\n"); more && events.Traces(err) != "" {
		return line
	}
	return err
}
