package oteltrace_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/oteltrace"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestEachAttemptHasASpanFromItsBeginningToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab()
		var id events.ID
		began := time.Now()
		err := l.runs(t, actor.Spec{Name: "db", Backoff: policy.Constant(time.Minute), Task: steps(
			func(ctx context.Context) error {
				at, _ := actor.FromContext(ctx)
				id = at.ID
				time.Sleep(2 * time.Second)
				return errRefused
			},
			in(3*time.Second, nil),
		)})
		if err != nil {
			t.Fatal(err)
		}
		same(t, lines(l.spans()), []string{
			`run /app/db 1 failed Error "connection refused" exception: *errors.errorString "connection refused"`,
			`run /app/db 2 succeeded previous_attempt=1`,
		})
		first, second := l.spans()[0], l.spans()[1]
		equal(t, "kind", first.SpanKind, trace.SpanKindInternal)
		equal(t, "scope", first.InstrumentationScope.Name, oteltrace.ScopeName)
		equal(t, "path", value(first.Attributes, oteltrace.PathKey), "/app/db")
		equal(t, "task", value(first.Attributes, oteltrace.TaskKey), "/app/db")
		equal(t, "id", value(first.Attributes, oteltrace.IDKey), fmt.Sprint(uint64(id)))
		equal(t, "generation", value(first.Attributes, oteltrace.GenerationKey), "1")
		equal(t, "error type", value(first.Attributes, "error.type"), "*errors.errorString")
		equal(t, "error type of a success", value(second.Attributes, "error.type"), "")
		equal(t, "first start", first.StartTime.Sub(began), 0)
		equal(t, "first end", first.EndTime.Sub(began), 2*time.Second)
		equal(t, "time of the exception", first.Events[0].Time.Sub(began), 2*time.Second)
		equal(t, "second start", second.StartTime.Sub(began), time.Minute+2*time.Second)
		equal(t, "second end", second.EndTime.Sub(began), time.Minute+5*time.Second)
	})
}

func TestTasksThatWereAddedShareAName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab()
		app := supervisor.New(supervisor.Config{Name: "app", Around: []actor.Around{l.Around}})
		stop := up(t, app)
		defer stop()
		for _, name := range []string{"17", "18"} {
			h, err := app.Start(t.Context(), actor.Spec{Name: name, Task: actor.Func(succeeds)})
			if err != nil {
				t.Fatal(err)
			}
			<-h.Done()
		}
		same(t, lines(l.spans()), []string{"run /app/* 1 succeeded", "run /app/* 1 succeeded"})
		equal(t, "path", value(l.spans()[1].Attributes, oteltrace.PathKey), "/app/18")
		equal(t, "task", value(l.spans()[1].Attributes, oteltrace.TaskKey), "/app/*")
	})
}

// resize is an attempt at a stored job.
type resize struct{ job *events.Job }

func (resize) Run(context.Context) error { return nil }
func (r resize) Describe() *events.Job   { return r.job }

func TestAnAttemptAtAJobIsNamedForItsType(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab()
		if err := l.runs(t, actor.Spec{Name: "42", Task: resize{&events.Job{ID: 42, Type: "media/resize", Attempt: 3}}}); err != nil {
			t.Fatal(err)
		}
		same(t, lines(l.spans()), []string{"run media/resize 1 succeeded"})
		attrs := l.spans()[0].Attributes
		equal(t, "path", value(attrs, oteltrace.PathKey), "/app/42")
		equal(t, "job", value(attrs, oteltrace.JobIDKey), "42")
		equal(t, "type", value(attrs, oteltrace.JobTypeKey), "media/resize")
		equal(t, "attempt", value(attrs, oteltrace.JobAttemptKey), "3")
	})
}

func TestEachAttemptIsATraceLinkedToTheOneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab()
		_ = l.runs(t,
			actor.Spec{Name: "a", Task: steps(fails, fails, fails, succeeds), Backoff: policy.Constant(time.Second)},
			actor.Spec{Name: "b", Task: steps(fails, fails, succeeds), Backoff: policy.Constant(time.Second)},
		)
		traces := map[trace.TraceID]bool{}
		for _, s := range l.spans() {
			traces[s.SpanContext.TraceID()] = true
			if s.Parent.IsValid() {
				t.Errorf("%s has a parent", line(s))
			}
		}
		equal(t, "traces", len(traces), 7)
		for name, attempts := range map[string]int{"a": 4, "b": 3} {
			chain := l.of("run /app/" + name)
			equal(t, "spans of "+name, len(chain), attempts)
			equal(t, "links of the first", len(chain[0].Links), 0)
			for i, s := range chain[1:] {
				if len(s.Links) != 1 || !linksTo(s, chain[i].SpanContext) {
					t.Errorf("%s does not link to the one before alone", line(s))
				}
			}
		}
	})
}

func TestATaskOfTheSameNameIsAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab()
		for range 2 {
			_ = l.runs(t, actor.Spec{Name: "a", Task: actor.Func(succeeds)})
		}
		same(t, lines(l.spans()), []string{"run /app/a 1 succeeded", "run /app/a 1 succeeded"})
	})
}

func TestAGroupRestartEndsTheSpansOfTheOthersWithoutAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab()
		app := supervisor.New(supervisor.Config{
			Name: "app", Strategy: supervisor.OneForAll, Around: []actor.Around{l.Around},
			Defaults: supervisor.Defaults{Backoff: policy.Constant(time.Second)},
			Children: []actor.Spec{
				{Name: "a", Task: actor.Func(serve)},
				{Name: "b", Task: steps(in(time.Minute, errRefused), serve)},
			},
		})
		stop := up(t, app)
		time.Sleep(2 * time.Minute)
		stop()
		same(t, lines(l.of("run /app/a")), []string{
			"run /app/a 1 stopped",
			"run /app/a 2 stopped previous_attempt=1",
		})
		same(t, lines(l.of("run /app/b")), []string{
			`run /app/b 1 failed Error "connection refused" exception: *errors.errorString "connection refused"`,
			"run /app/b 2 stopped previous_attempt=1",
		})
	})
}

func TestWhatATaskStartsIsAChildOfItsAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab()
		tracer := l.provider.Tracer("user")
		_ = l.runs(t, actor.Spec{Name: "a", Task: actor.Func(func(ctx context.Context) error {
			trace.SpanFromContext(ctx).AddEvent("seen")
			below, cancel := context.WithCancel(ctx)
			defer cancel()
			_, span := tracer.Start(below, "in the task")
			span.End()
			return actor.Go(ctx, func(ctx context.Context) error {
				_, span := tracer.Start(ctx, "in a helper")
				time.Sleep(time.Second)
				span.End()
				return nil
			})
		})})
		attempt := l.of("run /app/a")[0]
		equal(t, "events", len(attempt.Events), 1)
		for _, name := range []string{"in the task", "in a helper"} {
			span := l.of(name)[0]
			equal(t, "parent of "+name, span.Parent.SpanID(), attempt.SpanContext.SpanID())
			equal(t, "trace of "+name, span.SpanContext.TraceID(), attempt.SpanContext.TraceID())
		}
		equal(t, "children", attempt.ChildSpanCount, 2)
		equal(t, "end of the attempt", attempt.EndTime, l.of("in a helper")[0].EndTime)
	})
}

func TestAnOuterSpanIsALinkOrTheParent(t *testing.T) {
	for _, nested := range []bool{false, true} {
		t.Run(fmt.Sprint("nested ", nested), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab()
				l.Nested = nested
				ctx, outer := l.provider.Tracer("user").Start(t.Context(), "main")
				app := supervisor.New(supervisor.Config{
					Name: "app", EndWhenEmpty: true, Around: []actor.Around{l.Around},
					Children: []actor.Spec{{Name: "a", Task: steps(fails, succeeds), Backoff: policy.NoBackoff()}},
				})
				if err := app.Run(ctx); err != nil {
					t.Fatal(err)
				}
				second := l.of("run /app/a")[1]
				in := second.SpanContext.TraceID() == outer.SpanContext().TraceID()
				equal(t, "in the outer trace", in, nested)
				equal(t, "child of the outer span", second.Parent.SpanID() == outer.SpanContext().SpanID(), nested)
				equal(t, "link to the outer span", linksTo(second, outer.SpanContext()), !nested)
				equal(t, "link to the attempt before", linksTo(second, l.of("run /app/a")[0].SpanContext), true)
			})
		})
	}
}

func TestASpanThatAnotherAroundMadeIsTheOuterOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab()
		l.Nested = true
		other := func(ctx context.Context, at actor.Info) (context.Context, func(actor.Result)) {
			ctx, span := l.provider.Tracer("user").Start(ctx, "around "+at.Name)
			return ctx, func(actor.Result) { span.End() }
		}
		app := supervisor.New(supervisor.Config{
			Name: "app", EndWhenEmpty: true, Around: []actor.Around{other, l.Around},
			Children: []actor.Spec{{Name: "a", Task: actor.Func(succeeds)}},
		})
		if err := app.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		equal(t, "parent", l.of("run /app/a")[0].Parent.SpanID(), l.of("around a")[0].SpanContext.SpanID())
	})
}

func TestTheSpanOfATimeoutIsAFailureAndThatOfAStopIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab()
		app := supervisor.New(supervisor.Config{Name: "app", Around: []actor.Around{l.Around}, Children: []actor.Spec{
			{Name: "slow", Task: actor.Func(serve), Timeout: time.Second, Restart: policy.Never},
			{Name: "mute", Task: actor.Func(serve), Stall: time.Second, Restart: policy.Never},
			{Name: "told", Task: actor.Func(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })},
			{Name: "sour", Task: actor.Func(func(ctx context.Context) error { <-ctx.Done(); return errRefused })},
		}})
		stop := up(t, app)
		time.Sleep(time.Minute)
		stop()
		for name, want := range map[string]string{
			"slow": `timed_out Error "task /app/slow: timeout after 1s" exception: *actor.TimeoutError "task /app/slow: timeout after 1s"`,
			"mute": `stalled Error "task /app/mute: no beat for 1s" exception: *actor.StallError "task /app/mute: no beat for 1s"`,
			"told": `stopped`,
			"sour": `stopped exception: *errors.errorString "connection refused"`,
		} {
			same(t, lines(l.of("run /app/"+name)), []string{"run /app/" + name + " 1 " + want})
		}
	})
}

func TestTheSpanOfAnAbandonedAttemptEndsWhenItReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab()
		open := make(chan struct{})
		app := supervisor.New(supervisor.Config{Name: "app", Around: []actor.Around{l.Around}, Children: []actor.Spec{{
			Name: "a", Timeout: time.Second, Grace: time.Second, OnStuck: policy.StuckAbandon, Backoff: policy.NoBackoff(),
			Task: steps(
				func(context.Context) error { <-open; return errRefused },
				func(context.Context) error { return errRefused },
				func(context.Context) error { <-open; panic("late") },
				succeeds,
			),
		}}})
		began := time.Now()
		stop := up(t, app)
		time.Sleep(time.Minute)
		same(t, lines(l.spans()), []string{
			`run /app/a 2 failed Error "connection refused" previous_attempt=1 exception: *errors.errorString "connection refused"`,
			"run /app/a 4 succeeded previous_attempt=3",
		})
		close(open)
		synctest.Wait()
		stop()
		late := map[string]int{}
		for i, s := range l.spans()[2:] {
			late[value(s.Attributes, oteltrace.AttemptKey)] = i + 2
			equal(t, "end", s.EndTime.Sub(began), time.Minute)
			equal(t, "status", s.Status.Code, codes.Error)
		}
		first, third := l.spans()[late["1"]], l.spans()[late["3"]]
		equal(t, "exit of the first", value(first.Attributes, oteltrace.ExitKey), "timed_out")
		equal(t, "exit of the third", value(third.Attributes, oteltrace.ExitKey), "panicked")
		equal(t, "generation of the first", value(first.Attributes, oteltrace.GenerationKey), "1")
		equal(t, "generation of the third", value(third.Attributes, oteltrace.GenerationKey), "2")
		equal(t, "the second links to the first", linksTo(l.spans()[0], first.SpanContext), true)
		equal(t, "the fourth links to the third", linksTo(l.spans()[1], third.SpanContext), true)
	})
}

// A sampler that has kept one attempt and dropped the next still makes a chain.
func TestTheChainLeavesOutWhatIsNotSampled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		l := newLab(sdk.WithSampler(sdk.ParentBased(odd{&seen})))
		tracer := l.provider.Tracer("user")
		step := func(ctx context.Context) error {
			_, span := tracer.Start(ctx, "below")
			span.End()
			return errRefused
		}
		_ = l.runs(t, actor.Spec{Name: "a", Task: steps(step, step, step, succeeds), Backoff: policy.NoBackoff()})
		same(t, []string{line(l.of("run /app/a")[1])}, []string{
			`run /app/a 3 failed Error "connection refused" previous_attempt=1 exception: *errors.errorString "connection refused"`,
		})
		equal(t, "sampled attempts", len(l.of("run /app/a")), 2)
		equal(t, "spans below them", len(l.of("below")), 2)
		same(t, seen, []string{
			"run /app/a internal /app/a /app/a 1 1 links: 0",
			"run /app/a internal /app/a /app/a 2 1 links: 1",
			"run /app/a internal /app/a /app/a 3 1 links: 1",
			"run /app/a internal /app/a /app/a 4 1 links: 1",
		})
	})
}

// odd samples odd attempts and notes what a sampler is told.
type odd struct{ seen *[]string }

func (o odd) Description() string { return "odd" }

func (o odd) ShouldSample(p sdk.SamplingParameters) sdk.SamplingResult {
	attempt := value(p.Attributes, oteltrace.AttemptKey)
	*o.seen = append(*o.seen, fmt.Sprint(p.Name, " ", p.Kind, " ", value(p.Attributes, oteltrace.PathKey), " ",
		value(p.Attributes, oteltrace.TaskKey), " ", attempt, " ", value(p.Attributes, oteltrace.GenerationKey), " links: ", len(p.Links)))
	if attempt == "1" || attempt == "3" {
		return sdk.SamplingResult{Decision: sdk.RecordAndSample}
	}
	return sdk.SamplingResult{Decision: sdk.Drop}
}

func TestATracerThatStandsAroundTwiceMakesOneSpan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab()
		below := supervisor.New(supervisor.Config{
			Around: []actor.Around{l.Around}, EndWhenEmpty: true,
			Children: []actor.Spec{{Name: "a", Task: steps(fails, succeeds), Backoff: policy.NoBackoff()}},
		})
		if err := l.runs(t, below.Spec("below")); err != nil {
			t.Fatal(err)
		}
		same(t, lines(l.spans()), []string{
			`run /app/below/a 1 failed Error "connection refused" exception: *errors.errorString "connection refused"`,
			"run /app/below/a 2 succeeded previous_attempt=1",
		})
	})
}

func TestATaskMayHaveATreeOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab()
		_ = l.runs(t, actor.Spec{Name: "a", Task: actor.Func(func(ctx context.Context) error {
			return supervisor.New(supervisor.Config{
				Name: "in", EndWhenEmpty: true, Around: []actor.Around{l.Around},
				Children: []actor.Spec{{Name: "b", Task: actor.Func(succeeds)}},
			}).Run(ctx)
		})})
		same(t, lines(l.spans()), []string{"run /app/a/in/b 1 succeeded outer", "run /app/a 1 succeeded"})
		equal(t, "link to the task around", linksTo(l.spans()[0], l.spans()[1].SpanContext), true)
	})
}

func TestTheAbsenceOfATracerIsNoTrace(t *testing.T) {
	var none *oteltrace.Tracer
	ctx, done := none.Around(t.Context(), actor.Info{})
	if ctx != nil || done != nil {
		t.Error("a nil tracer adds something")
	}
}

func TestWhatIsBrokenInTheProviderDoesNotTouchTheTask(t *testing.T) {
	var missing *sdk.TracerProvider
	rows := map[string]*oteltrace.Tracer{
		"a nil pointer as provider": oteltrace.New(missing),
		"a processor that panics at the start": oteltrace.New(sdk.NewTracerProvider(
			sdk.WithSpanProcessor(rude{atStart: true}))),
		"a processor that panics at the end": oteltrace.New(sdk.NewTracerProvider(
			sdk.WithSpanProcessor(rude{}))),
	}
	for name, tracer := range rows {
		t.Run(name, func(t *testing.T) {
			handled := handling(t)
			synctest.Test(t, func(t *testing.T) {
				l := &lab{Tracer: tracer}
				runs := 0
				err := l.runs(t, actor.Spec{Name: "a", Restart: policy.Never, Task: actor.Func(func(context.Context) error {
					runs++
					return nil
				})})
				if err != nil || runs != 1 {
					t.Errorf("%d runs: %v", runs, err)
				}
				equal(t, "errors handled", len(handled()), 1)
			})
		})
	}
}

func TestTheZeroTracerUsesTheGlobalProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab()
		global(t, l.provider)
		l.Tracer = &oteltrace.Tracer{}
		_ = l.runs(t, actor.Spec{Name: "a", Task: actor.Func(succeeds)})
		same(t, lines(l.spans()), []string{"run /app/a 1 succeeded"})
	})
}

func TestAnIntensityThatIsExceededLeavesNoSpanOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		recorder := newRecorder()
		tracer := oteltrace.New(sdk.NewTracerProvider(sdk.WithSpanProcessor(recorder)))
		err := supervisor.New(supervisor.Config{
			Name: "app", Around: []actor.Around{tracer.Around},
			Intensity: policy.Intensity{Restarts: 3, Within: time.Minute},
			Children: []actor.Spec{
				{Name: "a", Task: actor.Func(fails), Backoff: policy.NoBackoff()},
				{Name: "b", Task: actor.Func(serve)},
			},
		}).Run(t.Context())
		if !errors.Is(err, errRefused) {
			t.Errorf("got %v", err)
		}
		equal(t, "spans that have ended", len(recorder.Ended()), len(recorder.Started()))
		equal(t, "spans", len(recorder.Ended()), 5)
	})
}
