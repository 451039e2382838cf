package console_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/console"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestTheGoroutinesOfAStuckTaskStandBelowIt(t *testing.T) {
	err := &actor.StuckError{Path: "/app/db", Attempt: 1, Goroutines: []actor.Goroutine{
		{Count: 1, Stack: "main.wait /src/main.go:7\nmain.work /src/main.go:12\n"},
		{Count: 3, Stack: "main.help /src/main.go:30\n"},
	}}
	got := write(&console.Writer{}, events.Event{Kind: events.TaskStuck, Path: "/app/db", Err: err})
	_, below, _ := strings.Cut(got, "\n")
	want := "\t1 goroutine at\n\t\tmain.wait /src/main.go:7\n\t\tmain.work /src/main.go:12\n" +
		"\t3 goroutines at\n\t\tmain.help /src/main.go:30\n"
	if below != want {
		t.Errorf("below the line:\n%swant:\n%s", below, want)
	}
}

func TestStacksAreBounded(t *testing.T) {
	for _, row := range []struct {
		frames int
		last   string
	}{
		{console.MaxStack - 1, "\t\tmain.work /src/main.go:7"}, // the headline takes one line
		{console.MaxStack, "\t... and 1 more lines"},
		{console.MaxStack + 99, "\t... and 100 more lines"},
	} {
		got := write(&console.Writer{}, events.Event{Kind: events.TaskStuck, Path: "/app/db", Err: stuck(row.frames)})
		below := strings.Split(strings.TrimRight(got, "\n"), "\n")[1:]
		if last := below[len(below)-1]; last != row.last {
			t.Errorf("%d frames: the last line is %q, want %q", row.frames, last, row.last)
		}
		if n := len(below); n > console.MaxStack+1 {
			t.Errorf("%d frames make %d lines", row.frames, n)
		}
	}
}

func explode() { panic("boom") }

func leave() { runtime.Goexit() }

// supervised returns what the console shows of a task that runs once.
func supervised(t *testing.T, task func()) string {
	t.Helper()
	var out bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		app := supervisor.New(supervisor.Config{
			Name:         "app",
			AutoShutdown: supervisor.AutoShutdownAny,
			Subscribers:  []events.Subscriber{console.New(&out).Subscriber()},
			Children: []actor.Spec{{
				Name: "bad", Restart: policy.Never, Significant: true,
				Task: actor.Func(func(context.Context) error { task(); return nil }),
			}},
		})
		if err := app.Run(t.Context()); err == nil {
			t.Error("the failure of the only task went unnoticed")
		}
	})
	return out.String()
}

// after returns the rest of the line in which mark stands, and the next line.
func after(text, mark string) (line, next string) {
	_, rest, _ := strings.Cut(text, mark)
	line, rest, _ = strings.Cut(rest, "\n")
	next, _, _ = strings.Cut(rest, "\n")
	return line, next
}

func TestThePlaceOfAPanicStandsFirstBelowItAndOnce(t *testing.T) {
	got := supervised(t, explode)
	line, first := after(got, "panicked    /app/bad")
	if !strings.HasSuffix(line, `error="panic: boom"`) {
		t.Errorf("the panic is told by %q", line)
	}
	if !strings.HasPrefix(first, "\t") || !strings.Contains(first, "console_test.explode(") {
		t.Errorf("below the panic stands first %q", first)
	}
	// It ends the task and the supervisor too, whose errors wrap the same panic.
	if n := strings.Count(got, "console_test.explode("); n != 1 {
		t.Errorf("the stack is there %d times:\n%s", n, got)
	}
}

func TestAnotherPanicHasItsOwnStack(t *testing.T) {
	one := &actor.PanicError{Value: "one", Stack: []byte("goroutine 1 [running]:\nmain.one()\n\t/src/main.go:1\n")}
	two := &actor.PanicError{Value: "two", Stack: []byte("goroutine 1 [running]:\nmain.two()\n\t/src/main.go:2\n")}
	failed := func(err error) events.Event {
		return events.Event{Kind: events.AttemptEnded, Path: "/a", Exit: policy.Panicked, Err: err}
	}
	got := write(&console.Writer{}, failed(one), failed(fmt.Errorf("wrapped: %w", two)), failed(errors.New("none")))
	for _, want := range []string{"\tmain.one()\n", "\tmain.two()\n"} {
		if strings.Count(got, want) != 1 {
			t.Errorf("%q should be there once:\n%s", want, got)
		}
	}
}

func TestThePlaceOfGoexitStandsFirstBelowItAndOnce(t *testing.T) {
	got := supervised(t, leave)
	if _, first := after(got, "exited      /app/bad"); !strings.Contains(first, "console_test.leave(") {
		t.Errorf("below the exit stands first %q", first)
	}
	if n := strings.Count(got, "console_test.leave("); n != 1 {
		t.Errorf("the stack is there %d times:\n%s", n, got)
	}
}

func TestAPanicOfAHandlerShowsItsStack(t *testing.T) {
	err := &events.HandlerPanic{Subscriber: "alert", Value: "boom", Stack: []byte(
		"goroutine 9 [running]:\nruntime/debug.Stack()\n\t/go/stack.go:26\npanic({0x1, 0x2})\n\t/go/panic.go:7\nmain.alert()\n\t/src/main.go:3\n")}
	got := write(&console.Writer{}, events.Event{Kind: events.SubscriberPanicked, Subscriber: "alert", Count: 1, Err: err})
	_, below, _ := strings.Cut(got, "\n")
	if want := "\tmain.alert()\n\t\t/src/main.go:3\n"; below != want {
		t.Errorf("below the line:\n%swant:\n%s", below, want)
	}
}

func TestARetryRepeatsNoStack(t *testing.T) {
	err := &actor.PanicError{Value: "one", Stack: []byte("main.one()\n\t/src/main.go:1\n")}
	got := write(&console.Writer{}, events.Event{Kind: events.RetryScheduled, Path: "/a", Count: 1, Err: err})
	if strings.Contains(got, "main.one") {
		t.Errorf("a retry with a stack:\n%s", got)
	}
}
