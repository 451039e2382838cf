package actor

import (
	"context"
	"log/slog"

	"github.com/taskvisor/taskvisor/events"
)

type attemptKey struct{}

type loggerKey struct{}

// Info is who a task is, as its context tells.
type Info struct {
	ID         events.ID
	Path       string
	Pattern    string // Path with a * for each task that was added at run time
	Name       string
	Attempt    int // from 1
	Generation int // from 1; more after an attempt was abandoned or left by runtime.Goexit
	// Job is the stored job on whose behalf the task runs, or nil, see Described.
	Job *events.Job
}

// FromContext returns the identity of the task whose context ctx is or derives
// from; ok is false for any other context.
func FromContext(ctx context.Context) (info Info, ok bool) {
	a := Current(ctx)
	if a == nil {
		return Info{}, false
	}
	return a.info(), true
}

func (a *Attempt) info() Info {
	info := Info{
		ID:         a.actor.ID(),
		Path:       a.actor.Path(),
		Pattern:    a.actor.parent.Pattern(),
		Name:       a.actor.Name(),
		Attempt:    a.Number(),
		Generation: a.Generation(),
	}
	if d, ok := a.actor.task.(Described); ok {
		info.Job = d.Describe()
	}
	return info
}

// Current returns the attempt whose context ctx is or derives from, or nil. It
// is for supervisors; tasks use FromContext.
func Current(ctx context.Context) *Attempt {
	a, _ := ctx.Value(attemptKey{}).(*Attempt)
	return a
}

// Ready says that the task is up: that it has what it needs and serves. The
// first call in an attempt counts. Outside of a task, and after its context has
// ended, it does nothing.
func Ready(ctx context.Context) {
	if a := Current(ctx); a != nil && a.ended.Load() == 0 && a.upSince.CompareAndSwap(0, max(int64(a.Age()), 1)) {
		a.actor.parent.Ready(a)
	}
}

// Beat says that the task makes progress, for a spec with Stall. It costs a few
// nanoseconds; call it after work, not from a ticker of its own. Outside of a
// task, and without Stall, it does nothing.
func Beat(ctx context.Context) {
	if a := Current(ctx); a != nil && a.watch != nil && a.watch.stall > 0 {
		a.watch.beat.Store(int64(a.Age()))
	}
}

// Logger returns a logger that carries path, id, attempt and generation of the task:
// the supervisor's, or slog.Default. Outside of a task it carries nothing.
func Logger(ctx context.Context) *slog.Logger {
	l, _ := ctx.Value(loggerKey{}).(*slog.Logger)
	if l == nil {
		l = slog.Default()
	}
	info, ok := FromContext(ctx)
	if !ok {
		return l
	}
	return l.With(
		slog.String("path", info.Path),
		slog.Uint64("id", uint64(info.ID)),
		slog.Int("attempt", info.Attempt),
		slog.Int("generation", info.Generation),
	)
}

// WithLogger returns a context whose tasks log to l.
func WithLogger(ctx context.Context, l *slog.Logger) context.Context {
	return context.WithValue(ctx, loggerKey{}, l)
}
