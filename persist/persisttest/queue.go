package persisttest

import (
	"cmp"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/recorder"
)

// The Patience of a Queue that does not say one.
const (
	// DefaultPatience is that in a bubble, where time is virtual: enough for delays of days.
	DefaultPatience = 7 * 24 * time.Hour
	// RealPatience is that outside of one.
	RealPatience = 30 * time.Second
)

// Queue is a queue under test. Its methods, but for those of its persist.Queue, are for the
// goroutine of the test, and fail that test when they are not answered.
type Queue struct {
	// Queue is the queue as it runs now. After a restart or a crash it is another one, as it
	// would be in another process: what Handle, Provide and the verbs that set limits have done
	// is gone. A handler finds its own by persist.FromContext.
	*persist.Queue
	// Events has recorded everything since the start, restarts included.
	Events *recorder.Recorder
	// Patience is how much time may pass, in a bubble of virtual time, until what is waited for
	// is there. Zero means DefaultPatience in a bubble, and RealPatience elsewhere.
	Patience time.Duration
	// AttemptLimit is how many attempts may begin while a method waits, beyond one for each job
	// that is there when it begins to. If there are more, jobs go round in circles. Zero means
	// DefaultAttemptLimit.
	AttemptLimit int

	t       testing.TB
	cfg     persist.Config
	options options
	bubble  bool
	held    bool // nothing runs unless the test says so
	news    chan struct{}
	life    *life           // the one that runs
	lives   []*life         // all of them
	handled map[string]bool // by type, as far as it was asked for
}

// Option changes a Queue.
type Option func(*options)

type options struct{ twice bool }

// New runs a queue and returns when it takes jobs in. It is held: nothing runs until the test
// lets it, by WorkNext, Work, Drain, DrainAll or Resume. It is stopped at the cleanup of t, and
// fails it if that ends with an error, or not at all.
//
// Without a Store, the jobs are in memory. The Workers of cfg count while it is drained, and
// after Resume. In a testing/synctest bubble t is that of the bubble.
func New(t testing.TB, cfg persist.Config, opts ...Option) *Queue {
	t.Helper()
	q := &Queue{Events: &recorder.Recorder{Limit: eventLimit}, t: t, cfg: cfg, bubble: inBubble(), held: true, news: make(chan struct{}, 1), handled: map[string]bool{}}
	for _, opt := range opts {
		opt(&q.options)
	}
	if q.cfg.Store == nil {
		q.cfg.Store = memstore.New()
	}
	if err := persist.New(q.cfg).Validate(); err != nil {
		t.Fatalf("the queue is refused: %v", err)
	}
	t.Cleanup(q.close)
	q.open()
	return q
}

// eventLimit is more than the recorder's default, because a test may have many jobs.
const eventLimit = 1 << 20

// inBubble says whether time is virtual here. There is no other way to ask.
func inBubble() (yes bool) {
	defer func() { yes = recover() == nil }()
	synctest.Wait()
	return
}

// open begins a life of the queue.
func (q *Queue) open() {
	q.t.Helper()
	q.life = q.newLife()
	q.Queue = q.life.queue
	q.lives = append(q.lives, q.life)
	q.life.start()
	ctx, cancel := q.context()
	defer cancel()
	if err := q.WaitReady(ctx); err != nil {
		q.t.Fatalf("the queue did not start: %v\n%s", err, q.report())
	}
	// The workers may come up after the queue has looked for what is ready: they are told.
	if !q.until(func() bool { return q.Head().Tree().Ready }) {
		q.t.Fatalf("the queue was not ready within %v\n%s", q.patience(), q.report())
	}
	if !q.held {
		q.staff(q.crew())
	}
}

// crew is how many jobs run at a time while the queue is not held.
func (q *Queue) crew() int {
	if q.cfg.Workers == persist.NoWorkers {
		return persist.DefaultWorkers
	}
	return cmp.Or(q.cfg.Workers, persist.DefaultWorkers)
}

func (q *Queue) staff(n int) {
	q.t.Helper()
	if err := q.SetWorkers(n); err != nil {
		q.t.Fatal(err)
	}
}

// Resume lets the queue run by itself, as in a program.
func (q *Queue) Resume() {
	q.t.Helper()
	q.held = false
	q.staff(q.crew())
}

// Hold lets nothing begin any more that the test does not say, and returns when nothing runs.
func (q *Queue) Hold() {
	q.t.Helper()
	q.held = true
	q.staff(persist.NoWorkers)
	if !q.until(func() bool { return q.Counts()[persist.Running] == 0 }) {
		q.t.Fatalf("jobs still ran after %v\n%s", q.patience(), q.report())
	}
}

// close is the end of the test: it says what has not come to an end.
func (q *Queue) close() {
	q.t.Helper()
	for _, l := range q.lives {
		switch {
		case !l.end(q.stopBound()):
			q.t.Errorf("the queue has not stopped\n%s", q.report())
		case l.failure() != nil && !l.dead() && !l.told:
			q.t.Errorf("the queue did not end cleanly: %v", l.failure())
		}
	}
}

// stopBound is more than a stop may take, unless it is told to wait for ever.
func (q *Queue) stopBound() time.Duration {
	bound := q.patience() + policy.DefaultStopTimeout
	if own := q.cfg.Supervisor.StopTimeout; own != policy.Forever {
		bound += own
	}
	return bound
}

func (q *Queue) patience() time.Duration {
	if q.bubble {
		return cmp.Or(q.Patience, DefaultPatience)
	}
	return cmp.Or(q.Patience, RealPatience)
}

// context returns one that ends when the test has no patience any more.
func (q *Queue) context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), q.patience())
}

// subscriber records what happens in a life, and pokes who waits for something to change.
func (q *Queue) subscriber(l *life) events.Subscriber {
	return events.Subscriber{Name: l.name(), Queue: events.MaxQueue, Handler: events.HandlerFunc(func(e events.Event) {
		if l.dead() {
			return
		}
		q.Events.Handle(e)
		l.note(e)
		select {
		case q.news <- struct{}{}:
		default:
		}
	})}
}

// until lets time pass until reached says so, and says whether it did. It asks at once, after
// each event, and now and then by itself: not every change is an event.
func (q *Queue) until(reached func() bool) bool {
	q.t.Helper()
	defer q.watch()()
	late := time.After(q.patience())
	longest := q.patience() / 1000
	glance := time.Millisecond
	for {
		q.rest()
		if reached() {
			return true
		}
		select {
		case <-q.news:
			glance = time.Millisecond
		case <-time.After(glance):
			glance = min(2*glance, longest)
		case <-q.life.ended:
			return reached()
		case <-late:
			q.rest()
			return reached()
		}
	}
}

// settle returns when the events of what has happened are recorded; in a bubble when everything
// has happened that can without time passing. It fails the test if there is no end to that.
func (q *Queue) settle() {
	q.t.Helper()
	defer q.watch()()
	q.rest()
}

// rest is settle for who has a watch already.
func (q *Queue) rest() {
	q.t.Helper()
	if q.bubble {
		synctest.Wait()
	} else {
		ctx, cancel := q.context()
		defer cancel()
		_ = q.Head().Bus().Drain(ctx) // a late event is a late test
	}
	if err := q.life.circles(); err != nil {
		q.t.Fatalf("%v\n%s", err, q.report())
	}
}
