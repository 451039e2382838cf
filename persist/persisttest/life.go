package persisttest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/persist"
)

// ErrCrash is the cause of the end of the contexts of attempts that were under way at a crash.
var ErrCrash = errors.New("the process was killed by the test")

// life is one run of the queue, as in one process.
type life struct {
	queue  *persist.Queue
	number int
	ctx    context.Context // of the run
	stop   context.CancelFunc
	ended  chan struct{}      // closed when Run has returned
	err    error              // what it returned
	told   bool               // the test knows err
	alive  context.Context    // until the process dies
	expire context.CancelFunc // ends alive

	// All of the following is guarded by mu.
	mu       sync.Mutex
	attempts map[persist.ID]context.CancelCauseFunc // that are under way
	pass     *pass                                  // or nil
	watch    *watch                                 // or nil
	circle   error                                  // that its jobs go round in circles
	lost     error                                  // what its ledger could not store at its end
}

// pass lets one attempt through.
type pass struct {
	want  persist.ID // whose; zero for that of any job
	taken persist.ID // by whom; zero as long as nobody has
}

// newLife makes a queue of the test's configuration.
func (q *Queue) newLife() *life {
	l := &life{number: len(q.lives) + 1, ended: make(chan struct{}), attempts: map[persist.ID]context.CancelCauseFunc{}}
	l.ctx, l.stop = context.WithCancel(context.Background())
	l.alive, l.expire = context.WithCancel(context.Background())
	cfg := q.cfg
	cfg.Workers = q.crew()
	if q.held {
		cfg.Workers = persist.NoWorkers
	}
	around := []persist.Middleware{l.around}
	if q.options.twice {
		around = append(around, q.twice)
	}
	cfg.Middleware = append(around, cfg.Middleware...)
	cfg.Supervisor.Subscribers = append(slices.Clip(cfg.Supervisor.Subscribers), q.subscriber(l))
	l.queue = persist.New(cfg)
	return l
}

// name is that of its subscriber: that of a life before may still be there.
func (l *life) name() string {
	if l.number == 1 {
		return "persisttest"
	}
	return fmt.Sprintf("persisttest-%d", l.number)
}

func (l *life) start() {
	go func() {
		defer close(l.ended)
		l.err = l.queue.Run(l.ctx)
	}()
}

// end stops the life, and says whether it has ended by then.
func (l *life) end(within time.Duration) bool {
	l.stop()
	select {
	case <-l.ended:
		return true
	case <-time.After(within):
		return false
	}
}

// note takes note of what a queue has lost at its end. Run does not return that.
func (l *life) note(e events.Event) {
	var lost *persist.LostError
	if e.Kind == events.TaskFinished && errors.As(e.Err, &lost) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.lost = lost
	}
}

// failure returns what was wrong with the end of a life, or nil.
func (l *life) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return cmp.Or(l.err, l.lost)
}

// kill tells the attempts that are under way, before the queue can.
func (l *life) kill() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expire()
	for _, cancel := range l.attempts {
		cancel(ErrCrash)
	}
}

// die ends the life as far as handlers and events are concerned. Its queue does not know, and
// finds its store closed.
func (l *life) die() {
	l.kill()
	_ = l.queue.SetWorkers(persist.NoWorkers)
	l.stop()
}

func (l *life) dead() bool { return l.alive.Err() != nil }

// admit lets one attempt through, or with nil no more.
func (l *life) admit(p *pass) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pass = p
}

// taker returns who has taken a pass.
func (l *life) taker(p *pass) persist.ID {
	l.mu.Lock()
	defer l.mu.Unlock()
	return p.taken
}

// around is put around every attempt, outermost.
func (l *life) around(ctx context.Context, job *persist.Job, next func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p := l.enter(job.ID, cancel)
	defer l.leave(job.ID)
	circles := l.circling(job)
	if p != nil || circles {
		// With a pass there is one worker: nobody else has begun, and now nobody will.
		if err := l.queue.SetWorkers(persist.NoWorkers); err != nil {
			return err
		}
		if circles || p.want != 0 && p.want != job.ID {
			return persist.Snooze(0) // as if it had not run
		}
	}
	if l.dead() {
		return ErrCrash
	}
	return next(ctx)
}

// enter takes note of an attempt, and returns the pass if it takes that.
func (l *life) enter(id persist.ID, cancel context.CancelCauseFunc) *pass {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.attempts[id] = cancel
	if l.pass == nil || l.pass.taken != 0 {
		return nil
	}
	l.pass.taken = id
	return l.pass
}

func (l *life) leave(id persist.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.attempts, id)
}

// isIdle says that no handler runs.
func (l *life) isIdle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.attempts) == 0
}
