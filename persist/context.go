package persist

import (
	"context"
	"log/slog"
	"math"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
)

type claimKey struct{}

// Attempt is the attempt at a job to which a context belongs. Zero is none.
type Attempt struct{ c *claim }

// FromContext returns the attempt at a job to which ctx belongs; ok is false if there is
// none.
func FromContext(ctx context.Context) (a Attempt, ok bool) {
	c, ok := ctx.Value(claimKey{}).(*claim)
	return Attempt{c}, ok
}

// Job returns the job as it was when the attempt began, with its payload. It is shared, and
// not to be changed. Without an attempt it is nil.
func (a Attempt) Job() *Job {
	if a.c == nil {
		return nil
	}
	return a.c.record
}

// Number counts the attempts that are used up from 1, this one included. Without an attempt it
// is zero.
func (a Attempt) Number() int {
	if a.c == nil {
		return 0
	}
	return a.c.attempt
}

// Last reports whether a failure of this attempt would be the last: no retry is left.
func (a Attempt) Last() bool {
	if a.c == nil {
		return false
	}
	v := verdict{exit: policy.Failed}
	next, _ := decideNext(&v, a.c.rules.MaxRetries, a.c.record.Failures+1)
	return next == endNow
}

// Queue returns the queue that the job belongs to. Without an attempt it is nil.
func (a Attempt) Queue() *Queue {
	if a.c == nil {
		return nil
	}
	return a.c.q
}

// Logger returns a logger that says whose job it is, of which type, and which attempt.
func Logger(ctx context.Context) *slog.Logger {
	log := actor.Logger(ctx)
	if a, ok := FromContext(ctx); ok {
		r := &a.c.record.Record
		log = log.With("job", uint64(r.ID), "job_type", r.Type, "job_attempt", a.c.attempt)
		if r.Key != "" {
			log = log.With("job_key", r.Key)
		}
	}
	return log
}

// Progress tells how much of the attempt is done, from 0 to 1, with a few words for people,
// and that it lives: see WithStall. Without a job in ctx, and when the attempt is over, it does
// nothing.
func Progress(ctx context.Context, done float64, message string) {
	a, ok := FromContext(ctx)
	if !ok || a.c.end.Load() != nobody {
		return
	}
	actor.Beat(ctx)
	c := a.c
	about := *c.about.Load()
	about.Progress, about.Message = min(max(done, 0), 1), message
	if math.IsNaN(done) {
		about.Progress = 0
	}
	c.progress.Store(&about)
	c.publish(events.JobProgressed, func(e *events.Event) { e.Job = &about })
}

// publish publishes an event about the attempt.
func (c *claim) publish(k events.Kind, say func(*events.Event)) {
	bus := c.gate.door.Bus()
	if !bus.Wants(k) {
		return
	}
	e := events.Event{
		Kind: k, At: time.Now(), Path: c.task.Handle().Path(), Pattern: c.gate.pattern(), ID: c.task.Handle().ID(), Attempt: c.attempt, Job: c.about.Load(),
	}
	say(&e)
	bus.Send(&e)
}

// StateOf returns the value of type T that the handlers of the job's domain were given, or else
// those of the queue: see Domain.State, Config.State and Queue.Provide. If there are several,
// it is the first. An interface is found too.
func StateOf[T any](ctx context.Context) (value T, ok bool) {
	a, there := FromContext(ctx)
	if !there {
		return value, false
	}
	for _, v := range a.c.state {
		if value, ok = v.(T); ok {
			return value, true
		}
	}
	return value, false
}

// Provide adds a value that handlers find by its type from now on, after those that are there.
func (q *Queue) Provide(value any) {
	b := q.known()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.state = append(b.state[:len(b.state):len(b.state)], value)
}

// chain runs an attempt inside of what is put around it.
func (q *Queue) chain(ctx context.Context, job *Job, run func(context.Context) error) error {
	for i := len(q.cfg.Middleware) - 1; i >= 0; i-- {
		around, next := q.cfg.Middleware[i], run
		run = func(ctx context.Context) error { return around(ctx, job, next) }
	}
	return run(ctx)
}
