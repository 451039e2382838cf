package console

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/taskvisor/taskvisor/events"
)

// clock is the time of day: who reads along knows the date.
const clock = "15:04:05.000"

// appendLine appends the line of e.
func (w *Writer) appendLine(b []byte, e *events.Event) []byte {
	said := wordOf(e)

	// When, and what happened.
	b = e.At.AppendFormat(b, clock)
	b = append(b, "  "...)
	if w.Color && said.color != "" {
		b = append(b, said.color...)
		b = append(b, said.text...)
		b = append(b, plain...)
	} else {
		b = append(b, said.text...)
	}

	// To whom.
	for range wordWidth - len(said.text) {
		b = append(b, ' ')
	}
	b = append(b, "  "...)
	b = append(b, e.Path...)
	if e.Subscriber != "" {
		b = append(b, "subscriber "...)
		b = strconv.AppendQuote(b, e.Subscriber)
	}

	// And what there is to say about it.
	d := details{b: b}
	d.addJob(e.Job)
	d.addNumber("attempt", uint64(attemptOf(e)), attemptOf(e) > 0)
	d.addNumber("generation", uint64(e.Generation), e.Generation > 1) // the first is nothing special
	d.addQuoted("key", e.Key)
	d.add("exit", e.Exit, e.Exit != 0 && e.Kind != events.AttemptEnded && e.Kind != events.RetryScheduled && e.Kind != events.JobRetryScheduled)
	d.add("outcome", e.Outcome, e.Outcome != 0)
	d.add("reason", e.Reason, e.Reason != 0)
	d.add("delay", rounded(e.Delay), e.Delay != 0 || e.Kind == events.RetryScheduled || e.Kind == events.JobRetryScheduled)
	d.add("elapsed", rounded(e.Elapsed), e.Elapsed != 0 || e.Kind == events.AttemptEnded)
	d.addNumber(keyOfCount(said), e.Count, e.Count != 0)
	if e.Err != nil && e.Kind != events.RetryScheduled { // the attempt's line has it
		d.add("error", strconv.Quote(firstLine(e.Err)), true)
	}
	d.addCourse(e)
	return append(d.b, '\n')
}

// attemptOf is the job's where the task has none, or is not said.
func attemptOf(e *events.Event) int {
	if e.Attempt == 0 && e.Job != nil {
		return e.Job.Attempt
	}
	return e.Attempt
}

// details are the key=value part of a line.
type details struct {
	b    []byte
	some bool
}

// addJob adds which job it is about. What its owner has named it stands in quotes.
func (d *details) addJob(j *events.Job) {
	if j == nil {
		return
	}
	d.addNumber("job", j.ID, j.ID != 0)
	d.addText("type", j.Type)
	d.addQuoted("key", j.Key)
	d.addQuoted("label", j.Label)
}

// addCourse adds how far a job has come.
func (d *details) addCourse(e *events.Event) {
	if e.Job == nil || e.Kind != events.JobProgressed {
		return
	}
	d.add("done", fmt.Sprintf("%.0f%%", 100*e.Job.Progress), true)
	d.addQuoted("message", e.Job.Message)
}

// addText adds a word as it is, or in quotes if it could be taken for something else.
func (d *details) addText(key, text string) {
	if strings.ContainsFunc(text, func(c rune) bool { return c == '"' || c == ' ' || !strconv.IsPrint(c) }) {
		text = strconv.Quote(text)
	}
	d.add(key, text, text != "")
}

func (d *details) addQuoted(key, text string) {
	if text != "" {
		d.add(key, strconv.Quote(text), true)
	}
}

func (d *details) add(key string, value any, said bool) {
	if said {
		d.key(key)
		d.b = fmt.Append(d.b, value)
	}
}

func (d *details) addNumber(key string, n uint64, said bool) {
	if said {
		d.key(key)
		d.b = strconv.AppendUint(d.b, n, 10)
	}
}

func (d *details) key(key string) {
	d.b = append(d.b, ' ')
	if !d.some {
		d.b = append(d.b, ' ')
		d.some = true
	}
	d.b = append(d.b, key...)
	d.b = append(d.b, '=')
}

func keyOfCount(w word) string {
	if w.count == "" {
		return "count"
	}
	return w.count
}

// rounded keeps three digits of d, and whole seconds of a long one.
func rounded(d time.Duration) time.Duration {
	unit := time.Nanosecond
	for unit < time.Second && d.Abs() >= 1000*unit {
		unit *= 10
	}
	return d.Round(unit)
}

// firstLine is the first line of an error's text. fmt survives an Error method that
// panics.
func firstLine(err error) string {
	line, _, _ := strings.Cut(strings.TrimSpace(fmt.Sprint(err)), "\n")
	return strings.TrimRight(line, "\r")
}
