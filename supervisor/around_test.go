package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

type valueKey struct{}

// noted returns what is around an attempt and notes it in the list.
func noted(list *[]string, name string) actor.Around {
	return func(ctx context.Context, at actor.Info) (context.Context, func(actor.Result)) {
		*list = append(*list, fmt.Sprint(name, " enters ", at.Path, " ", at.Attempt))
		before, _ := ctx.Value(valueKey{}).(string)
		return context.WithValue(ctx, valueKey{}, before+name), func(res actor.Result) {
			*list = append(*list, fmt.Sprint(name, " leaves ", at.Path, ": ", res.Exit))
		}
	}
}

func TestWhatIsAroundSeesEachAttemptFromBeginningToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var list []string
		n := 0
		task := actor.Func(func(ctx context.Context) error {
			n++
			list = append(list, fmt.Sprint("runs with ", ctx.Value(valueKey{})))
			child, cancel := context.WithCancel(ctx) // needs no goroutine: the context is the attempt itself
			cancel()
			<-child.Done()
			switch n {
			case 1:
				return errBench
			case 2:
				panic("boom")
			case 3:
				runtime.Goexit()
			}
			return nil
		})
		below := supervisor.New(supervisor.Config{
			Around:       []actor.Around{noted(&list, "inner")},
			AutoShutdown: supervisor.AutoShutdownAny,
			Children:     []actor.Spec{{Name: "job", Task: task, Backoff: policy.NoBackoff(), Significant: true}},
		})
		app := supervisor.New(supervisor.Config{
			Name: "app", EndWhenEmpty: true, Around: []actor.Around{noted(&list, "outer")},
			Children: []actor.Spec{below.Spec("below")},
		})
		if err := app.Run(t.Context()); err != nil {
			t.Error(err)
		}
		var want []string
		for i, exit := range []string{"failed", "panicked", "exited", "succeeded"} {
			want = append(want,
				fmt.Sprint("outer enters /app/below/job ", i+1), fmt.Sprint("inner enters /app/below/job ", i+1),
				"runs with outerinner",
				"inner leaves /app/below/job: "+exit, "outer leaves /app/below/job: "+exit)
		}
		if !slices.Equal(list, want) {
			t.Errorf("got  %q\nwant %q", list, want)
		}
	})
}

// A panic around an attempt is the attempt's, and the task goes on.
func TestWhatIsAroundMayFail(t *testing.T) {
	leaveBy := func(f func()) actor.Around {
		return func(context.Context, actor.Info) (context.Context, func(actor.Result)) {
			return nil, func(actor.Result) { f() }
		}
	}
	for _, row := range []struct {
		name   string
		around func(times *int) actor.Around
		exit   policy.Exit
	}{
		{"a panic at the beginning", func(times *int) actor.Around {
			return func(context.Context, actor.Info) (context.Context, func(actor.Result)) {
				if *times++; *times == 1 {
					panic("boom")
				}
				return nil, nil
			}
		}, policy.Panicked},
		{"a panic at the end", func(times *int) actor.Around {
			return leaveBy(func() {
				if *times++; *times == 1 {
					panic("boom")
				}
			})
		}, policy.Panicked},
		{"Goexit at the end", func(times *int) actor.Around {
			return leaveBy(func() {
				if *times++; *times == 1 {
					runtime.Goexit()
				}
			})
		}, policy.Exited},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var times int
				var exits []policy.Exit
				app := supervisor.New(supervisor.Config{
					Name: "app", EndWhenEmpty: true, Around: []actor.Around{row.around(&times)},
					Children: []actor.Spec{{Name: "job", Task: actor.Func(func(context.Context) error { return nil })}},
					Subscribers: []events.Subscriber{{
						Name: "exits", Kinds: []events.Kind{events.AttemptEnded},
						Handler: events.HandlerFunc(func(e events.Event) { exits = append(exits, e.Exit) }),
					}},
				})
				if err := app.Run(t.Context()); err != nil {
					t.Error(err)
				}
				if want := []policy.Exit{row.exit, policy.Succeeded}; !slices.Equal(exits, want) {
					t.Errorf("exits %v, want %v", exits, want)
				}
			})
		})
	}
}

func TestANilAroundIsRefused(t *testing.T) {
	err := supervisor.New(supervisor.Config{Around: []actor.Around{nil}}).Validate()
	var field *policy.FieldError
	if !errors.As(err, &field) || field.Field != "Around[0]" {
		t.Errorf("got %v", err)
	}
}
