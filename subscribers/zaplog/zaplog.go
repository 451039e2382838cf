// Package zaplog writes events to a [zap.Logger].
//
//	app := supervisor.New(supervisor.Config{
//		Subscribers: []events.Subscriber{zaplog.New(logger).Subscriber()},
//	})
//
// The entries have the messages, the keys and the levels of the records of package
// sloglog, whose doc describes them: what a streak of failures is, how often it is
// told, where the stacks stand, and how large the queue is. The fields are typed. An error is written by zap's
// own rules, which may add the keys errorVerbose and errorCauses for those that have
// more to say.
//
// The time of an entry is that of its event. It has no caller and no stack trace of
// zap's, whatever the logger's options: they would show the subscriber.
//
// What a task logs itself, by actor.Logger, goes to log/slog and not through here. For
// both to have the same core, make a handler of it with go.uber.org/zap/exp/zapslog, which
// is a module of its own, and set it as the Logger of the supervisor:
//
//	supervisor.Config{
//		Logger:      slog.New(zapslog.NewHandler(logger.Core())),
//		Subscribers: []events.Subscriber{zaplog.New(logger).Subscriber()},
//	}
//
// The logger is its owner's. Who buffers it calls Sync after the supervisor's Run, at
// whose end the subscribers have been given the time to handle what was queued.
package zaplog

import (
	"log/slog"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/subscribers/internal/report"
)

// Logger is an [events.Handler] that writes entries. Its zero value is ready and
// writes to zap.L(). A Logger is for one tree. Its fields are set before it is
// subscribed and not changed afterwards.
type Logger struct {
	// Log is where the entries go. Nil means zap.L(), as it is at each event.
	Log *zap.Logger
	// EscalateAfter is how many failures of a task in a row are an error. Zero
	// means 5; policy.Unlimited are never reached.
	EscalateAfter int
	// Interval is how often failures that are known are told again. Zero means a
	// minute.
	Interval time.Duration
	// Healthy is how long an attempt must have run to end a streak of failures.
	// Zero means policy.DefaultResetAfter, a minute.
	Healthy time.Duration

	mu       sync.Mutex      // one line after the other, also when two runs overlap
	reporter report.Reporter // guarded by mu
	seen     *zap.Logger     // the one that was written to last
	bare     *zap.Logger     // seen, without caller and stack trace
}

// New returns a Logger that writes to l. Nil means zap.L(), as it is at each event.
func New(l *zap.Logger) *Logger { return &Logger{Log: l} }

// Subscriber returns a subscriber named "zap" that is given all events. It has a large
// Queue, of which only that is used where events wait, and which may be changed.
func (l *Logger) Subscriber() events.Subscriber {
	return events.Subscriber{Name: "zap", Handler: l, Queue: report.Queue}
}

// Handle writes what there is to say about e.
func (l *Logger) Handle(e events.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	log := l.logger()
	core := log.Core()
	enabled := func(level slog.Level) bool { return core.Enabled(levelOf(level)) }

	l.reporter.Rules = report.Rules{EscalateAfter: l.EscalateAfter, Interval: l.Interval, Healthy: l.Healthy}
	for _, line := range l.reporter.Lines(e, enabled) {
		if entry := log.Check(levelOf(line.Level), line.Message); entry != nil {
			entry.Time = e.At
			entry.Write(fields(&line)...)
		}
	}
}

// logger returns the logger that is meant, without its caller and stack trace.
func (l *Logger) logger() *zap.Logger {
	log := l.Log
	if log == nil {
		log = zap.L()
	}
	if l.seen != log {
		none := zap.LevelEnablerFunc(func(zapcore.Level) bool { return false })
		l.seen, l.bare = log, log.WithOptions(zap.WithCaller(false), zap.AddStacktrace(none))
	}
	return l.bare
}

// levelOf returns the level of the same name.
func levelOf(level slog.Level) zapcore.Level {
	switch {
	case level < slog.LevelInfo:
		return zapcore.DebugLevel
	case level < slog.LevelWarn:
		return zapcore.InfoLevel
	case level < slog.LevelError:
		return zapcore.WarnLevel
	}
	return zapcore.ErrorLevel
}

// fields returns the fields of a line as zap's.
func fields(line *report.Line) []zap.Field {
	attrs := line.Attrs()
	fs := make([]zap.Field, len(attrs))
	for i, a := range attrs {
		switch a.Value.Kind() {
		case slog.KindString:
			fs[i] = zap.String(a.Key, a.Value.String())
		case slog.KindInt64:
			fs[i] = zap.Int64(a.Key, a.Value.Int64())
		case slog.KindUint64:
			fs[i] = zap.Uint64(a.Key, a.Value.Uint64())
		case slog.KindFloat64:
			fs[i] = zap.Float64(a.Key, a.Value.Float64())
		case slog.KindDuration:
			fs[i] = zap.Duration(a.Key, a.Value.Duration())
		default:
			err, _ := a.Value.Any().(error)
			fs[i] = zap.NamedError(a.Key, err)
		}
	}
	return fs
}
