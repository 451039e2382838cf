package report_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/recorder"
	"github.com/taskvisor/taskvisor/subscribers/sloglog"
	"github.com/taskvisor/taskvisor/subscribers/zaplog"
	"github.com/taskvisor/taskvisor/supervisor"
)

// loggers are those that tell the same. Each writes JSON, in the same form.
var loggers = map[string]func(io.Writer, slog.Level) events.Subscriber{
	"slog": func(w io.Writer, least slog.Level) events.Subscriber {
		return sloglog.New(slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: least}))).Subscriber()
	},
	"zap": func(w io.Writer, least slog.Level) events.Subscriber {
		form := zapcore.EncoderConfig{
			TimeKey: "time", LevelKey: "level", MessageKey: "msg",
			EncodeTime: zapcore.RFC3339NanoTimeEncoder, EncodeLevel: zapcore.CapitalLevelEncoder, EncodeDuration: zapcore.NanosDurationEncoder,
		}
		level := zapcore.Level(least / 4) // theirs are 1 apart, and Info is 0 for both
		return zaplog.New(zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(form), zapcore.AddSync(w), level))).Subscriber()
	},
}

// run runs the tasks with both loggers, and returns what they wrote, which must be the
// same.
func run(t *testing.T, least slog.Level, children ...actor.Spec) (lines []map[string]any) {
	t.Helper()
	logs := map[string]*bytes.Buffer{}
	synctest.Test(t, func(t *testing.T) {
		cfg := supervisor.Config{
			Name: "app", EndWhenEmpty: true, Children: children,
			Defaults: supervisor.Defaults{Backoff: policy.Constant(100 * time.Millisecond), MaxRetries: policy.Unlimited},
		}
		for name, logger := range loggers {
			logs[name] = new(bytes.Buffer)
			cfg.Subscribers = append(cfg.Subscribers, logger(logs[name], least))
		}
		_ = supervisor.New(cfg).Run(t.Context())
	})

	lines = decode(t, logs["slog"])
	if others := decode(t, logs["zap"]); !reflect.DeepEqual(lines, others) {
		t.Errorf("slog has\n%v, and zap\n%v", lines, others)
	}
	return lines
}

func decode(t *testing.T, log *bytes.Buffer) (lines []map[string]any) {
	t.Helper()
	for line := range strings.Lines(log.String()) {
		fields := map[string]any{}
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		lines = append(lines, fields)
	}
	return lines
}

// about returns those of the lines that are about a path.
func about(path string, lines []map[string]any) (some []map[string]any) {
	for _, fields := range lines {
		if fields["path"] == path {
			some = append(some, fields)
		}
	}
	return some
}

// failing is a task that fails n times and then succeeds.
func failing(n int, how func() error) actor.Task {
	return actor.Func(func(ctx context.Context) error {
		if info, _ := actor.FromContext(ctx); info.Attempt <= n {
			return how()
		}
		return nil
	})
}

func refuse() error { return errors.New("connection refused\nby 10.0.0.1") }

func explode() error { panic("boom") }

// pause returns after d, or when the task is told to stop.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func TestAStormOfFailuresIsAHandfulOfLines(t *testing.T) {
	const storm = 1000 // of a tenth of a second each
	lines := about("/app/db", run(t, slog.LevelInfo, actor.Spec{Name: "db", Task: failing(storm, refuse)}))

	var told float64
	var messages []string
	for _, l := range lines {
		messages = append(messages, l["level"].(string)+" "+l["msg"].(string))
		repeats, _ := l["repeats"].(float64)
		told += repeats
		if l["msg"] != "task recovered" {
			told++
			if l["error"] != refuse().Error() {
				t.Errorf("the error is %q", l["error"])
			}
		}
	}
	want := []string{"WARN attempt failed", "ERROR attempt keeps failing", "WARN attempt failed", "INFO task recovered"}
	if !reflect.DeepEqual(messages, want) {
		t.Errorf("the lines are %q, want %q", messages, want)
	}
	if told != storm {
		t.Errorf("%v failures are told of, and there were %d", told, storm)
	}
	if last := lines[len(lines)-1]; last["failures"] != float64(storm) || last["exit"] != "succeeded" {
		t.Errorf("the recovery is %v", last)
	}
}

func TestAPanicIsWrittenWithItsStackOnce(t *testing.T) {
	lines := run(t, slog.LevelDebug, actor.Spec{Name: "bad", Task: failing(9, explode), MaxRetries: 3, OnGiveUp: policy.GiveUpEscalate})
	var stacks []string
	for _, l := range lines {
		if stack, ok := l["stack"].(string); ok {
			stacks = append(stacks, l["msg"].(string))
			if !strings.Contains(stack, "report_test.explode(") {
				t.Errorf("the stack is\n%s", stack)
			}
		}
	}
	if !reflect.DeepEqual(stacks, []string{"attempt failed"}) {
		t.Errorf("stacks stand by %q", stacks)
	}
	if last := lines[len(lines)-1]; last["level"] != "ERROR" || last["msg"] != "supervisor stopped" {
		t.Errorf("the panic does not end the supervisor: %v", last)
	}
}

// A burst makes tens of thousands of events faster than they can be written down.
func TestOfABurstOfTasksTheFailuresAreWritten(t *testing.T) {
	const burst, bad = 10_000, 100
	tasks := make([]actor.Spec, burst)
	for i := range tasks {
		tasks[i] = actor.Spec{Name: fmt.Sprint("job-", i), Task: failing(0, nil), Restart: policy.Never}
		if i%(burst/bad) == 0 {
			tasks[i].Task = failing(1, refuse)
		}
	}
	for name, logger := range loggers {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			synctest.Test(t, func(t *testing.T) {
				var app *supervisor.Supervisor
				app = supervisor.New(supervisor.Config{
					Name: "app", EndWhenEmpty: true, Subscribers: []events.Subscriber{logger(&out, slog.LevelInfo)},
					Children: []actor.Spec{{Name: "starter", Task: actor.Func(func(ctx context.Context) error {
						_, err := app.StartAll(ctx, tasks...)
						return err
					})}},
				})
				_ = app.Run(t.Context()) // which tells the failures too
			})
			written := map[any]int{}
			for _, l := range decode(t, &out) {
				written[l["msg"]]++
			}
			if written["attempt failed"] != bad || written["task failed"] != bad || written["events lost"] != 0 {
				t.Errorf("of %d failures there are %v", bad, written)
			}
		})
	}
}

// A task is up for a moment each time it fails, and then runs on. Its sibling comes and goes.
func TestARecoveryIsToldWhileTheTaskRuns(t *testing.T) {
	const flaps = 18
	flap := actor.Func(func(ctx context.Context) error {
		actor.Ready(ctx)
		info, _ := actor.FromContext(ctx)
		up := time.Millisecond
		if info.Attempt > flaps {
			up = 10 * time.Minute
		}
		pause(ctx, up)
		return refuse()
	})
	noisy := actor.Func(func(ctx context.Context) error {
		pause(ctx, 20*time.Second)
		return nil
	})
	lines := about("/app/db", run(t, slog.LevelInfo,
		actor.Spec{Name: "db", Task: flap, MaxRetries: flaps, OnGiveUp: policy.GiveUpEscalate},
		actor.Spec{Name: "noisy", Task: noisy, Restart: policy.Always}))

	var messages []string
	for _, l := range lines {
		messages = append(messages, l["level"].(string)+" "+l["msg"].(string))
	}
	want := []string{"WARN attempt failed", "ERROR attempt keeps failing", "INFO task recovered", "WARN attempt failed", "ERROR task failed"}
	if !reflect.DeepEqual(messages, want) {
		t.Fatalf("the lines are %q, want %q", messages, want)
	}
	recovered := lines[2]
	healthy := time.Duration(recovered["healthy"].(float64))
	if healthy < policy.DefaultResetAfter || healthy > policy.DefaultResetAfter+21*time.Second {
		t.Errorf("the recovery is told %v after the task was ready", healthy)
	}
	if recovered["failures"] != float64(flaps) || recovered["repeats"] != float64(flaps-5) || recovered["time"] == lines[3]["time"] {
		t.Errorf("the recovery is %v", recovered)
	}
}

// The run of a task that succeeds at once, at all levels.
func TestTheKeysAreThoseOfTheEvent(t *testing.T) {
	var log recorder.Recorder
	var out bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		_ = supervisor.New(supervisor.Config{
			Name: "app", EndWhenEmpty: true, Children: []actor.Spec{{Name: "job", Task: failing(1, refuse)}},
			Subscribers: []events.Subscriber{loggers["zap"](&out, slog.LevelDebug), {Name: "recorder", Handler: &log}},
		}).Run(t.Context())
	})
	lines := decode(t, &out)
	if len(lines) != len(log.Events()) {
		t.Fatalf("%d lines for %d events", len(lines), len(log.Events()))
	}
	for i, e := range log.Events() {
		want := map[string]bool{"time": true, "level": true, "msg": true}
		for _, a := range e.LogValue().Group() {
			want[a.Key] = true
		}
		delete(want, "generation") // it is the first
		got := map[string]bool{}
		for key := range maps.Keys(lines[i]) {
			got[key] = true
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%v is written with the keys %v, want %v", e, got, want)
		}
		at, _ := lines[i]["time"].(string)
		if had, err := time.Parse(time.RFC3339Nano, at); err != nil || !had.Equal(e.At) {
			t.Errorf("%v is written with the time %v, want %v", e, at, e.At)
		}
	}
}

// hostile is what a log is written to that is in a bad state.
type hostile struct{ write func() }

func (h hostile) Write(b []byte) (int, error) {
	h.write()
	return len(b), nil
}

func TestALogThatIsInABadStateDoesNotDisturbTheTree(t *testing.T) {
	for name, logger := range loggers {
		for _, row := range []struct {
			sentence string
			write    func()
			panics   bool
		}{
			{"it panics", func() { panic("no space left") }, true},
			{"it takes its time", func() { time.Sleep(time.Hour) }, false},
		} {
			t.Run(name+"/"+row.sentence, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var log recorder.Recorder
					began := time.Now()
					err := supervisor.New(supervisor.Config{
						Name: "app", EndWhenEmpty: true,
						Children:    []actor.Spec{{Name: "job", Task: failing(9, refuse), Backoff: policy.Constant(time.Second), MaxRetries: policy.Unlimited}},
						Subscribers: []events.Subscriber{logger(hostile{row.write}, slog.LevelDebug), {Name: "recorder", Handler: &log}},
					}).Run(t.Context())
					if err != nil {
						t.Errorf("the run ends with %v", err)
					}
					if took, most := time.Since(began), 9*time.Second+events.DefaultDrain; took > most {
						t.Errorf("it took %v, want at most %v", took, most)
					}
					if n := log.Count(events.AttemptEnded); n != 10 {
						t.Errorf("%d attempts, want 10", n)
					}
					if told := log.Count(events.SubscriberPanicked) > 0; told != row.panics {
						t.Errorf("panics of the logger are told: %v", told)
					}
					time.Sleep(1000 * time.Hour) // it catches up with what is left
				})
			})
		}
	}
}

// Each stuck task shows where it is, also when others are at the same place.
func TestEveryStuckTaskIsWrittenWithItsStack(t *testing.T) {
	hear := make(chan struct{})
	deaf := actor.Func(func(context.Context) error {
		<-hear
		return nil
	})
	var stacks []string
	for name, logger := range loggers {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			synctest.Test(t, func(t *testing.T) {
				hear = make(chan struct{})
				defer close(hear)
				ctx, stop := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, stop)
				_ = supervisor.New(supervisor.Config{
					Name: "app", Subscribers: []events.Subscriber{logger(&out, slog.LevelInfo)},
					Children: []actor.Spec{{Name: "a", Task: deaf}, {Name: "b", Task: deaf}, {Name: "c", Task: deaf}},
				}).Run(ctx)
			})
			stacks = nil
			for _, l := range decode(t, &out) {
				if stack, ok := l["stack"].(string); ok && l["msg"] == "task stuck" {
					stacks = append(stacks, l["path"].(string))
					if !strings.Contains(stack, "report_test.") {
						t.Errorf("the stack is\n%s", stack)
					}
				}
			}
			slices.Sort(stacks)
			if !reflect.DeepEqual(stacks, []string{"/app/a", "/app/b", "/app/c"}) {
				t.Errorf("stacks stand by %q", stacks)
			}
		})
	}
}

func TestBothWriteTheFieldsOfAJob(t *testing.T) {
	job := &events.Job{
		ID: 42, Type: "media/resize", Key: "k", Priority: 5, Attempt: 2, Progress: 0.25, Message: "page 4",
		Tags: []events.Tag{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}},
	}
	for name, logger := range loggers {
		var log bytes.Buffer
		logger(&log, slog.LevelDebug).Handler.Handle(events.Event{
			Kind: events.JobRetryScheduled, Path: "/app/queue", Err: errors.New("refused"), Delay: time.Second, Job: job,
		})
		line := decode(t, &log)[0]
		delete(line, "time")
		want := map[string]any{
			"level": "WARN", "msg": "job retry scheduled", "kind": "job_retry_scheduled", "path": "/app/queue",
			"job": 42.0, "job_type": "media/resize", "job_key": "k", "job_priority": 5.0, "job_attempt": 2.0,
			"job_tags": "a=1,b=2", "job_progress": 0.25, "job_message": "page 4",
			"delay": 1e9, "error": "refused",
		}
		if !reflect.DeepEqual(line, want) {
			t.Errorf("%s has\n%v, want\n%v", name, line, want)
		}
	}
}
