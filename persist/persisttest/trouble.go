package persisttest

import "github.com/taskvisor/taskvisor/persist"

// fragile is a backend that can be made to fail: a memstore.Memory.
type fragile interface {
	persist.Backend
	Crash()
	FailNext(n int, err error)
}

func (q *Queue) fragile() fragile {
	q.t.Helper()
	f, ok := q.cfg.Store.(fragile)
	if !ok {
		q.t.Fatalf("the store is a %T: only a memstore.Memory can be made to fail", q.cfg.Store)
	}
	return f
}

// FailCommits makes the next n commits of the store fail with err. Submissions fail then; what
// follows an attempt is tried again.
func (q *Queue) FailCommits(n int, err error) {
	q.t.Helper()
	q.fragile().FailNext(n, err)
}

// Restart stops the queue as a program does that ends, and runs another one of the same
// configuration on the same store.
func (q *Queue) Restart() {
	q.t.Helper()
	l := q.life
	l.told = true
	switch {
	case !l.end(q.stopBound()):
		q.t.Fatalf("the queue has not stopped\n%s", q.report())
	case l.failure() != nil:
		q.t.Fatalf("the queue did not end cleanly: %v", l.failure())
	}
	q.open()
}

// CrashAndReopen does what kill -9 does, and a start after it: what was stored stays, nothing
// else. The contexts of attempts under way end with ErrCrash, since a goroutine cannot be
// killed, and nothing of what they return counts; they are waited for. Then another queue of
// the same configuration runs on the same store.
func (q *Queue) CrashAndReopen() {
	q.t.Helper()
	memory := q.fragile()
	q.settle()
	q.life.kill()
	memory.Crash()
	q.life.die()
	q.reopen()
}

// reopen begins another life after one that has died.
func (q *Queue) reopen() {
	q.t.Helper()
	if dead := q.life; !q.until(dead.isIdle) {
		q.t.Fatalf("a handler has not returned within %v after the crash\n%s", q.patience(), q.report())
	}
	q.open()
}
