package controller_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/taskvisor/taskvisor/controller"
)

// model is what a slot is thought to do, in the plainest way: lists, and a walk
// through time in steps at which something is due.
type model struct {
	now           time.Time
	width, depth  int
	owners, queue []*modelled
	all           []*modelled
}

// modelled is a submission. Its task runs until it is let go, and when it is told to
// end it takes lag to do so.
type modelled struct {
	name    string
	lag     time.Duration
	expires time.Time
	told    string    // why it is to end
	due     time.Time // when it has
	fate    string
}

func (m *model) submit(a controller.Admission, name string, lag, ttl time.Duration) {
	t := &modelled{name: name, lag: lag, expires: m.now.Add(ttl)}
	m.all = append(m.all, t)
	switch {
	case len(m.owners) < m.width:
		m.owners = append(m.owners, t)
	case a == controller.Replace:
		if len(m.queue) > 0 {
			m.queue[0].fate = "rejected superseded"
			m.queue = m.queue[1:]
		}
		m.queue = slices.Insert(m.queue, 0, t)
		if i := slices.IndexFunc(m.owners, func(o *modelled) bool { return o.told == "" }); i >= 0 {
			m.tell(m.owners[i], "replaced")
		}
	case a == controller.DropIfRunning:
		t.fate = "rejected busy"
	case len(m.queue) >= m.depth:
		t.fate = "rejected full"
	default:
		m.queue = append(m.queue, t)
	}
	m.settle()
}

// tell has an owner end; what it was told first counts.
func (m *model) tell(t *modelled, why string) {
	if t.told == "" {
		t.told, t.due = why, m.now.Add(t.lag)
	}
}

// settle does what is due now: first those expire that do, then owners end, and then
// the places are filled.
func (m *model) settle() {
	m.reject("expired", func(t *modelled) bool { return !t.expires.After(m.now) })
	m.owners = slices.DeleteFunc(m.owners, func(t *modelled) bool {
		if t.told != "" && !t.due.After(m.now) {
			t.fate = "stopped " + t.told
		}
		return t.fate != ""
	})
	for len(m.owners) < m.width && len(m.queue) > 0 {
		m.owners = append(m.owners, m.queue[0])
		m.queue = m.queue[1:]
	}
}

func (m *model) reject(why string, which func(*modelled) bool) {
	m.queue = slices.DeleteFunc(m.queue, func(t *modelled) bool {
		if !which(t) {
			return false
		}
		t.fate = "rejected " + why
		return true
	})
}

func everyone(*modelled) bool { return true }

// pass lets time pass up to the next instant at which something is due, and so on.
func (m *model) pass(d time.Duration) {
	end := m.now.Add(d)
	for {
		next := end
		for _, t := range m.queue {
			next = earlier(next, t.expires)
		}
		for _, t := range m.owners {
			if t.told != "" {
				next = earlier(next, t.due)
			}
		}
		m.now = next
		m.settle()
		if next.Equal(end) {
			return
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// cancel reports whether there was something to cancel.
func (m *model) cancel(t *modelled) bool {
	if t.fate != "" {
		return false
	}
	if slices.Contains(m.owners, t) {
		m.tell(t, "stopped")
	} else {
		m.reject("withdrawn", func(w *modelled) bool { return w == t })
	}
	m.settle()
	return true
}

func (m *model) purge() (n int) {
	n = len(m.queue)
	m.reject("withdrawn", everyone)
	return n
}

func (m *model) stop() {
	m.purge()
	for _, t := range m.owners {
		m.tell(t, "stopped")
	}
	m.settle()
}

// complete lets an owner go that was not told to end.
func (m *model) complete(t *modelled) {
	if t.told == "" && slices.Contains(m.owners, t) {
		t.fate = "completed"
	}
	m.settle()
}

func (m *model) close() {
	m.reject("closing", everyone)
	for _, t := range m.owners {
		m.tell(t, "shutdown")
		t.fate = "stopped " + t.told
	}
}

// show is a slot's show, of what the model thinks.
func (m *model) show() string {
	if len(m.owners)+len(m.queue) == 0 {
		return ""
	}
	var words []string
	for _, t := range m.owners {
		word := t.name
		if t.told != "" {
			word += ":stopping"
		}
		words = append(words, word)
	}
	words = append(words, "|")
	for _, t := range m.queue {
		words = append(words, t.name)
	}
	return strings.Join(words, " ")
}

func (m *model) fates() string {
	var b strings.Builder
	for _, t := range m.all {
		fmt.Fprintf(&b, "%s %s\n", t.name, t.fate)
	}
	return b.String()
}
