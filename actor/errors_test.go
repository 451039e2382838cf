package actor_test

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
)

func TestTheTextOfAnError(t *testing.T) {
	where := []actor.Goroutine{
		{Path: "/app/db", Count: 2, Stack: "main.wait /src/wait.go:7\nmain.main /src/main.go:3\n"},
		{Path: "/app/db", Count: 1, Stack: "main.run /src/run.go:9\n"},
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{actor.Done, "taskvisor: done"},
		{actor.ErrNoTask, "taskvisor: the context belongs to no task"},
		{actor.ErrEnded, "taskvisor: the attempt has ended"},
		{&actor.PanicError{Value: errBoom}, "panic: boom"},
		{&actor.PanicError{Value: struct{ N int }{7}}, "panic: {7}"},
		{&actor.GoexitError{}, "the goroutine was ended by runtime.Goexit"},
		{&actor.TimeoutError{Path: "/app/db", Timeout: time.Minute}, "task /app/db: timeout after 1m0s"},
		{&actor.TimeoutError{Path: "/app/db", Timeout: time.Minute, Err: errBoom}, "task /app/db: timeout after 1m0s: boom"},
		{&actor.StallError{Path: "/app/db", Stall: time.Second}, "task /app/db: no beat for 1s"},
		{&actor.StallError{Path: "/app/db", Stall: time.Second, Err: errBoom}, "task /app/db: no beat for 1s: boom"},
		{&actor.NotReadyError{Path: "/app/db", Timeout: time.Second}, "task /app/db: not ready after 1s"},
		{&actor.NotReadyError{Path: "/app/db", Timeout: time.Second, Err: errBoom}, "task /app/db: not ready after 1s: boom"},
		{&actor.NotReadyError{Path: "/app/db", Err: errBoom}, "task /app/db: ended before it was ready: boom"},
		{
			&actor.StuckError{Path: "/app/db", Attempt: 2, For: 1500 * time.Microsecond},
			"task /app/db: attempt 2 has not returned for 2ms after it was told to",
		},
		{
			&actor.StuckError{Path: "/app/db", Attempt: 1, For: 10 * time.Second, Goroutines: where},
			"task /app/db: attempt 1 has not returned for 10s after it was told to",
		},
		{
			&actor.SpecError{Name: "db", Err: &policy.FieldError{Field: "Grace", Value: -1, Reason: "must not be negative"}},
			`spec "db": Grace: -1: must not be negative`,
		},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("%T:\n got %q\nwant %q", c.err, got, c.want)
		}
	}
}

func TestAnErrorLeadsToTheOneInside(t *testing.T) {
	for _, err := range []error{
		&actor.PanicError{Value: io.EOF},
		&actor.TimeoutError{Err: io.EOF},
		&actor.StallError{Err: io.EOF},
		&actor.NotReadyError{Err: io.EOF},
		&actor.SpecError{Err: io.EOF},
		&actor.FatalError{Err: io.EOF},
		&actor.EscalateError{Err: io.EOF},
		&actor.RetryAfterError{Err: io.EOF},
	} {
		if !errors.Is(err, io.EOF) {
			t.Errorf("%T does not", err)
		}
	}
	if err := (&actor.PanicError{Value: "no error"}).Unwrap(); err != nil {
		t.Errorf("a panic with a string leads to %v", err)
	}
}

func TestTheTracesOfAStuckTaskSayWhereItIs(t *testing.T) {
	err := &actor.StuckError{Path: "/app/db", Goroutines: []actor.Goroutine{
		{Count: 2, Stack: "main.wait /src/wait.go:7\nmain.main /src/main.go:3\ngithub.com/taskvisor/taskvisor/actor.(*Attempt).run /src/attempt.go:1\n"},
		{Count: 1, Stack: "main.run /src/run.go:9\n"},
	}}
	const want = "2 goroutines at\n\tmain.wait /src/wait.go:7\n\tmain.main /src/main.go:3\n1 goroutine at\n\tmain.run /src/run.go:9"
	if got := err.Traces(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
