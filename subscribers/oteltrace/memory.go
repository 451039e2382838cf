package oteltrace

import (
	"sync"

	"go.opentelemetry.io/otel/trace"

	"github.com/taskvisor/taskvisor/events"
)

// Remembered is how many tasks a [Tracer] remembers the last span of: those whose
// attempts began or ended last. It may be up to twice as many, some 3 MB. The next
// attempt of a task that was forgotten has no link to the one before.
const Remembered = 10_000

// memory knows the last span of the tasks that had one most recently. Its zero value
// is ready.
//
// Nobody says that a task will not run again, so the oldest are forgotten. They are so
// by halves: a full map of new ones takes the place of the old. That needs no list and
// gives the memory back.
type memory struct {
	mu       sync.Mutex
	now, old map[events.ID]place // guarded by mu; now has less than Remembered
}

// place is where an attempt is found among the traces.
type place struct {
	span    trace.SpanContext
	attempt int
}

// get returns the last span of a task, or none.
func (m *memory) get(id events.ID) place {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.find(id)
}

// put makes p the last span of a task and the task one of the most recent, unless
// a later attempt has been there: an abandoned one returns after its successor began.
func (m *memory) put(id events.ID, p place) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.find(id).attempt > p.attempt {
		return
	}
	if m.now == nil {
		m.now = map[events.ID]place{}
	}
	m.now[id] = p
	if len(m.now) >= Remembered {
		m.now, m.old = nil, m.now
	}
}

func (m *memory) find(id events.ID) place {
	if p, ok := m.now[id]; ok {
		return p
	}
	return m.old[id]
}
