package supervisortest

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
)

func TestAnEventIsLikeWhatItHasAllOf(t *testing.T) {
	now := time.Now()
	e := events.Event{
		Seq: 7, At: now, Kind: events.AttemptEnded, Exit: policy.Failed, Outcome: events.Failed, Reason: events.ReasonGroup,
		ID: 3, Path: "/app/db", Pattern: "/app/*", Attempt: 2, Generation: 1, Delay: time.Second, Elapsed: time.Minute,
		Count: 5, Err: fmt.Errorf("dial: %w", errBoom), Subscriber: "log",
	}
	for _, row := range []struct {
		sentence string
		want     events.Event
		is       bool
	}{
		{"nothing is said", events.Event{}, true},
		{"all of it is", e, true},
		{"the error is in its chain", events.Event{Err: errBoom}, true},
		{"another error is not", events.Event{Err: ErrDrill}, false},
		{"another time", events.Event{At: now.Add(1)}, false},
		{"another kind", events.Event{Kind: events.TaskReady}, false},
		{"another exit", events.Event{Exit: policy.Fatal}, false},
		{"another outcome", events.Event{Outcome: events.Stopped}, false},
		{"another reason", events.Event{Reason: events.ReasonStopped}, false},
		{"another path", events.Event{Kind: events.AttemptEnded, Path: "/app"}, false},
		{"another pattern", events.Event{Pattern: "/app"}, false},
		{"another key", events.Event{Key: "k"}, false},
		{"another attempt", events.Event{Attempt: 1}, false},
		{"another generation", events.Event{Generation: 2}, false},
		{"another life", events.Event{ID: 4}, false},
		{"another pause", events.Event{Delay: 1}, false},
		{"another duration", events.Event{Elapsed: 1}, false},
		{"another number", events.Event{Count: 1}, false},
		{"another subscriber", events.Event{Subscriber: "trace"}, false},
		{"another place", events.Event{Seq: 1}, false},
	} {
		if got := isLike(row.want, e); got != row.is {
			t.Errorf("%s: %v, want %v", row.sentence, got, row.is)
		}
	}
}

// A field that is added one day is not left out.
func TestNoFieldOfAnEventIsLeftOut(t *testing.T) {
	typ := reflect.TypeFor[events.Event]()
	for i := range typ.NumField() {
		var want events.Event
		switch f := reflect.ValueOf(&want).Elem().Field(i); f.Kind() {
		case reflect.String:
			f.SetString("x")
		case reflect.Uint8, reflect.Uint64:
			f.SetUint(1)
		case reflect.Int, reflect.Int64:
			f.SetInt(1)
		default: // the time and the error
			want.At, want.Err = time.Now(), errBoom
		}
		if isLike(want, events.Event{}) {
			t.Errorf("%s may be anything", typ.Field(i).Name)
		}
	}
}

func TestWhatIsWantedIsDescribedWithoutWhatIsNotSaid(t *testing.T) {
	for want, e := range map[string]events.Event{
		"event":                                   {},
		"attempt_ended /app/db exit=failed":       {Kind: events.AttemptEnded, Path: "/app/db", Exit: policy.Failed},
		"retry_scheduled attempt=2":               {Kind: events.RetryScheduled, Attempt: 2},
		"retry_scheduled /app/db delay=30s":       {Kind: events.RetryScheduled, Path: "/app/db", Delay: 30 * time.Second},
		"task_finished outcome=failed error=boom": {Kind: events.TaskFinished, Outcome: events.Failed, Err: errBoom},
	} {
		if got := describe(e); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestAssertions(t *testing.T) {
	ready := func(path string) events.Event { return events.Event{Kind: events.TaskReady, Path: path} }
	started := func(path string) events.Event { return events.Event{Kind: events.AttemptStarted, Path: path} }
	for _, row := range []struct {
		sentence string
		then     func(tree *Tree)
		says     []string
	}{
		{"what was recorded in that order is", func(tree *Tree) {
			tree.AssertOrder(started("/app/a"), ready("/app/a"), started("/app/b"), events.Event{Kind: events.SupervisorStarted})
		}, nil},
		{"no order is always kept", func(tree *Tree) { tree.AssertOrder() }, nil},
		{"the other way round it is not", func(tree *Tree) { tree.AssertOrder(ready("/app/b"), ready("/app/a")) },
			[]string{"there is no task_ready /app/a after task_ready /app/b", "the last events:"}},
		{"one event is not two", func(tree *Tree) { tree.AssertOrder(ready("/app/a"), ready("/app/a")) },
			[]string{"there is no task_ready /app/a after task_ready /app/a"}},
		{"what is not there is not in order", func(tree *Tree) { tree.AssertOrder(ready("/app/c")) },
			[]string{"there is no task_ready /app/c\n"}},
		{"what has not happened never did", func(tree *Tree) { tree.AssertNever(events.Event{Kind: events.TaskStuck}) }, nil},
		{"what has did", func(tree *Tree) { tree.AssertNever(events.Event{Kind: events.TaskReady}) },
			[]string{"there should be no task_ready, but there is #", "task_ready /app/a"}},
		{"after a reset only what follows counts", func(tree *Tree) {
			tree.Events.Reset()
			tree.AssertNever(events.Event{Kind: events.TaskReady})
			tree.Fail("a", errBoom)
			tree.Await(ready("/app/a"))
			tree.AssertOrder(events.Event{Kind: events.AttemptEnded, Path: "/app/a"}, ready("/app/a"))
		}, nil},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			inBubble(t, func(t *testing.T, _ chan struct{}) {
				expect(t, verdict(func(t testing.TB) {
					row.then(Start(t, app(with(on("a", serve), awaited), with(on("b", serve), awaited))))
				}), row.says...)
			})
		})
	}
}
