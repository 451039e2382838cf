package report

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/taskvisor/taskvisor/events"
)

// Attrs returns the fields of the line: those of the event, under the keys of its
// LogValue, save that those of a job stand among them as job, job_type and so on; then failures, repeats, healthy and stack, as far as they are said. The first
// generation is not: hardly any task has a second one. The error is an error, or its text
// if that can only be had by means of fmt.
func (l *Line) Attrs() []slog.Attr {
	e := l.Event
	if e.Generation == 1 {
		e.Generation = 0
	}
	said := e.LogValue().Group()
	as := make([]slog.Attr, 0, len(said)+8)
	for _, a := range said {
		switch a.Key {
		case "error":
			as = append(as, slog.Any(a.Key, printable(l.Event.Err)))
		case "job":
			as = appendJob(as, e.Job)
		default:
			as = append(as, a)
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

// appendJob appends what a job says of itself, flat: its number as job, and the rest under
// the keys of its LogValue with job_ before them. The tags are one text. An
// event about all jobs of a type has neither a number nor a priority.
func appendJob(as []slog.Attr, j *events.Job) []slog.Attr {
	for _, a := range j.LogValue().Group() {
		switch a.Key {
		case "id":
			if j.ID != 0 {
				as = append(as, slog.Uint64("job", j.ID))
			}
		case "priority":
			if j.ID != 0 {
				as = append(as, slog.Int("job_priority", int(j.Priority)))
			}
		case "tags":
			as = append(as, slog.String("job_tags", tagsOf(j)))
		default:
			a.Key = "job_" + a.Key
			as = append(as, a)
		}
	}
	return as
}

// tagsOf writes the tags as key=value, with commas between them.
func tagsOf(j *events.Job) string {
	words := make([]string, len(j.Tags))
	for i, t := range j.Tags {
		words[i] = t.Key + "=" + t.Value
	}
	return strings.Join(words, ",")
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
