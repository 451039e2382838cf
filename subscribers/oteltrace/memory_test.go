package oteltrace_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"

	sdk "go.opentelemetry.io/otel/sdk/trace"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/oteltrace"
	"github.com/taskvisor/taskvisor/supervisor"
)

// attempt makes an attempt of a task, from its beginning to its end.
func (l *lab) attempt(id events.ID, attempt int) { l.begin(id, attempt)(succeeded) }

var succeeded = actor.Result{Exit: policy.Succeeded}

func (l *lab) begin(id events.ID, attempt int) (done func(actor.Result)) {
	_, done = l.Around(context.Background(), actor.Info{ID: id, Path: "/app/a", Pattern: "/app/a", Attempt: attempt, Generation: 1})
	return done
}

func TestTheOldestTaskIsForgotten(t *testing.T) {
	l := newLab()
	l.attempt(1, 1)
	for id := range events.ID(oteltrace.Remembered - 1) {
		l.attempt(2+id, 1)
	}
	l.exporter.Reset()
	l.attempt(1, 2)
	same(t, lines(l.spans()), []string{"run /app/a 2 succeeded previous_attempt=1"})

	for id := range events.ID(2 * oteltrace.Remembered) {
		l.attempt(100_000+id, 1)
	}
	l.exporter.Reset()
	l.attempt(1, 3)
	same(t, lines(l.spans()), []string{"run /app/a 3 succeeded"})
}

func TestATaskThatRunsForLongIsNotForgottenMeanwhile(t *testing.T) {
	l := newLab()
	done := l.begin(1, 1)
	for id := range events.ID(2 * oteltrace.Remembered) {
		l.attempt(2+id, 1)
	}
	done(succeeded)
	l.exporter.Reset()
	l.attempt(1, 2)
	same(t, lines(l.spans()), []string{"run /app/a 2 succeeded previous_attempt=1"})
}

func TestALateReturnDoesNotComeBackIntoTheChain(t *testing.T) {
	l := newLab()
	late := l.begin(1, 1)
	l.attempt(1, 2)
	late(succeeded)
	l.attempt(1, 3)
	same(t, lines(l.spans()), []string{
		"run /app/a 2 succeeded previous_attempt=1",
		"run /app/a 1 succeeded",
		"run /app/a 3 succeeded previous_attempt=2",
	})
}

// The memory is some megabytes whatever runs: without a bound it would be twenty.
func TestShortLivedTasksCostNoMemory(t *testing.T) {
	tracer := oteltrace.New(sdk.NewTracerProvider()) // without a processor nobody keeps the spans
	synctest.Test(t, func(t *testing.T) {
		app := supervisor.New(supervisor.Config{Name: "app", Around: []actor.Around{tracer.Around}})
		stop := up(t, app)
		defer stop()
		before := heap()
		for i := range 20_000 {
			h, err := app.Start(t.Context(), actor.Spec{Name: fmt.Sprint(i), Task: actor.Func(succeeds)})
			if err != nil {
				t.Fatal(err)
			}
			<-h.Done()
		}
		for id := range events.ID(100_000) {
			_, done := tracer.Around(t.Context(), actor.Info{ID: 1_000_000 + id, Attempt: 1})
			done(succeeded)
		}
		if grown := int64(heap()) - int64(before); grown > 8<<20 {
			t.Errorf("the heap has grown by %d KiB", grown>>10)
		} else {
			t.Logf("the heap has grown by %d KiB", grown>>10)
		}
	})
	runtime.KeepAlive(tracer)
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestManyTasksAtATimeHaveChainsOfTheirOwn(t *testing.T) {
	const tasks, attempts = 200, 5
	l := newLab()
	second := newLab()
	second.Tracer = l.Tracer // two trees share it
	var children []actor.Spec
	for i := range tasks / 2 {
		children = append(children, actor.Spec{
			Name: fmt.Sprint(i), Backoff: policy.NoBackoff(), Task: steps(fails, fails, fails, fails, succeeds),
		})
	}
	var trees sync.WaitGroup
	for _, tree := range []*lab{l, second} {
		trees.Go(func() {
			if err := tree.runs(t, children...); err != nil {
				t.Error(err)
			}
		})
	}
	trees.Wait()

	spans := l.spans()
	equal(t, "spans", len(spans), tasks*attempts)
	last := map[string]string{} // the last span of each task
	for _, s := range spans {
		id, attempt := value(s.Attributes, oteltrace.IDKey), value(s.Attributes, oteltrace.AttemptKey)
		if attempt == "1" {
			equal(t, "links of a first attempt", len(s.Links), 0)
		} else if len(s.Links) != 1 || s.Links[0].SpanContext.SpanID().String() != last[id] {
			t.Errorf("attempt %s of %s does not link to the one before", attempt, id)
		}
		last[id] = s.SpanContext.SpanID().String()
	}
	equal(t, "tasks", len(last), tasks)
}
