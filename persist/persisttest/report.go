package persisttest

import (
	"fmt"
	"strings"

	"github.com/taskvisor/taskvisor/persist"
)

const (
	// tail is how many events a failure shows.
	tail = 25
	// rows is how many jobs it shows that have not ended.
	rows = 25
)

// report is what a failure shows: the jobs that have not ended, and the last events.
func (q *Queue) report() string {
	var b strings.Builder
	q.listJobs(&b)
	b.WriteString("the last events:\n")
	seen := q.Events.Events()
	for _, e := range seen[max(len(seen)-tail, 0):] {
		fmt.Fprintf(&b, "\t%s %v\n", e.At.Format("15:04:05.000"), e)
	}
	return strings.TrimRight(b.String(), "\n")
}

// listJobs says of the jobs that have not ended what they wait for.
func (q *Queue) listJobs(b *strings.Builder) {
	select {
	case <-q.life.ended:
		fmt.Fprintf(b, "the queue has ended: %v\n", q.life.err)
		return
	default:
	}
	n := 0
	for w, err := range q.waits() {
		if err != nil {
			fmt.Fprintf(b, "the jobs are not known: %v\n", err)
			return
		}
		if w.Phase == persist.Ended {
			continue
		}
		if n++; n == 1 {
			b.WriteString("the jobs that have not ended:\n")
		}
		if n <= rows {
			fmt.Fprintf(b, "\tjob %d is %v: %v", w.ID, w.Phase, w)
			if w.Evidence != "" && w.Reason != persist.WaitsForRelease {
				fmt.Fprintf(b, " (%s)", firstLine(w.Evidence))
			}
			b.WriteString("\n")
		}
	}
	switch {
	case n == 0:
		b.WriteString("no job is left\n")
	case n > rows:
		fmt.Fprintf(b, "\tand %d others\n", n-rows)
	}
}

// firstLine leaves out the stack of a panic.
func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
