package supervisor

import (
	"container/list"
	"sync"
)

// permits limits how many attempts run at a time, first come, first served.
// Limits nest: an attempt needs a permit of each, the innermost first.
type permits struct {
	up *permits // read only; nil at the outermost

	mu      sync.Mutex
	limit   int       // guarded by mu
	used    int       // guarded by mu
	waiting list.List // guarded by mu: of *ticket
}

// ticket is a child's place among those that wait, and what it holds. It is
// guarded by the child's run.mu, but for what says otherwise.
type ticket struct {
	held  *permits      // the outermost of those held; nil when none is
	asked *permits      // waited for, or granted and not yet taken over
	place *list.Element // guarded by asked.mu; nil when granted
	rouse func()
}

// take asks for one permit and reports whether it was granted at once; if not,
// t.rouse is called when it is.
func (p *permits) take(t *ticket) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.used < p.limit && p.waiting.Len() == 0 {
		p.used++
		return true
	}
	t.place = p.waiting.PushBack(t)
	return false
}

// granted reports whether what t asked for has been granted.
func (p *permits) granted(t *ticket) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return t.place == nil
}

// withdraw takes t out of the queue, or gives back what it was granted.
func (p *permits) withdraw(t *ticket) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.place != nil {
		p.waiting.Remove(t.place)
		t.place = nil
		return
	}
	p.used--
	p.grant()
}

func (p *permits) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used--
	p.grant()
}

func (p *permits) resize(limit int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limit = limit
	p.grant()
}

// grant serves those that wait; it is called with mu held.
func (p *permits) grant() {
	for p.used < p.limit && p.waiting.Len() > 0 {
		t := p.waiting.Remove(p.waiting.Front()).(*ticket)
		t.place = nil
		p.used++
		t.rouse()
	}
}

// inUse returns how many permits are held, how many attempts wait, and the limit.
func (p *permits) inUse() (used, waiting, limit int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.used, p.waiting.Len(), p.limit
}

// permitted reports whether the next attempt of c has the permits that it needs.
func (r *run) permitted(c *child) bool {
	return r.env.permits == nil || c.set.spec.NoPermit || r.takePermits(c)
}

// takePermits takes them as far as they are free, and reports whether that is all.
func (r *run) takePermits(c *child) bool {
	t := &c.troubled().ticket
	if t.rouse == nil {
		wake := c.waker()
		t.rouse = func() {
			select {
			case wake <- struct{}{}:
			default:
			}
		}
	}
	for {
		next := r.env.permits
		if t.held != nil {
			next = t.held.up
		}
		switch {
		case next == nil:
			return true
		case t.asked == nil && !next.take(t):
			t.asked = next
			return false
		case t.asked != nil && !next.granted(t):
			return false
		}
		t.asked, t.held = nil, next
	}
}

// releasePermit gives back what c holds.
func (r *run) releasePermit(c *child) {
	if r.env.permits != nil {
		r.giveBack(c)
	}
}

func (r *run) giveBack(c *child) {
	if c.trouble == nil || c.trouble.ticket.held == nil {
		return
	}
	t := &c.trouble.ticket
	for p := r.env.permits; p != nil; p = p.up {
		p.release()
		if p == t.held {
			break
		}
	}
	t.held = nil
}

// dropPermit gives back what c holds and what it waits for.
func (r *run) dropPermit(c *child) {
	if r.env.permits == nil || c.trouble == nil {
		return
	}
	if t := &c.trouble.ticket; t.asked != nil {
		t.asked.withdraw(t)
		t.asked = nil
	}
	r.releasePermit(c)
}
