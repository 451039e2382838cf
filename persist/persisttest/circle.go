package persisttest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/taskvisor/taskvisor/persist"
)

// DefaultAttemptLimit is the AttemptLimit of a Queue that does not say one: enough for a job that
// puts itself off each second of a day.
const DefaultAttemptLimit = 100_000

// watch counts the attempts that begin while the test waits. Time is not enough to see that there
// is no end: jobs that run again at once leave a virtual clock where it is.
type watch struct {
	limit int
	jobs  int // that had not ended when it began: an attempt at each is expected
	begun int
	of    map[persist.ID]count
}

// count is how many attempts of a job have begun.
type count struct {
	id    persist.ID
	typ   string
	begun int
}

// watch counts attempts from now on, until it is told to end.
func (q *Queue) watch() (end func()) {
	w := &watch{limit: cmp.Or(q.AttemptLimit, DefaultAttemptLimit), of: map[persist.ID]count{}}
	for phase, n := range q.Counts() {
		if phase != persist.Ended {
			w.jobs += n
		}
	}
	l := q.life
	l.observe(w)
	return func() { l.observe(nil) }
}

// observe has a watch count the attempts, or with nil none.
func (l *life) observe(w *watch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watch = w
}

// circling counts an attempt, and says whether there are too many. There is no way back then:
// nothing runs any more in this life.
func (l *life) circling(job *persist.Job) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w := l.watch; w != nil && l.circle == nil {
		l.circle = w.add(job)
	}
	return l.circle != nil
}

// circles returns which jobs go round in circles, or nil.
func (l *life) circles() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.circle
}

// add counts an attempt. The error says that there are too many.
func (w *watch) add(job *persist.Job) error {
	c := w.of[job.ID]
	w.begun++
	w.of[job.ID] = count{job.ID, job.Type, c.begun + 1}
	if w.begun-w.jobs <= w.limit {
		return nil
	}
	return fmt.Errorf("jobs go round in circles: %d attempts have begun%s", w.begun, w.most())
}

// most lists the jobs of which the most attempts have begun. Of those that are alike, the
// latest are told: they may be the offspring of each other.
func (w *watch) most() string {
	all := slices.SortedFunc(maps.Values(w.of), func(a, o count) int {
		return cmp.Or(cmp.Compare(o.begun, a.begun), cmp.Compare(o.id, a.id))
	})
	var b strings.Builder
	for _, c := range all[:min(len(all), rows)] {
		fmt.Fprintf(&b, "\n\tjob %d (%s): %d", c.id, c.typ, c.begun)
	}
	if n := len(all) - rows; n > 0 {
		fmt.Fprintf(&b, "\n\tand %d others", n)
	}
	return b.String()
}
