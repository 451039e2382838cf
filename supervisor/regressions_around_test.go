package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"runtime/pprof"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/supervisor"
)

// entering returns what is around an attempt and only looks at its beginning.
func entering(look func(ctx context.Context, at actor.Info)) actor.Around {
	return func(ctx context.Context, at actor.Info) (context.Context, func(actor.Result)) {
		look(ctx, at)
		return nil, nil
	}
}

// putting returns what adds to the context of an attempt.
func putting(add func(ctx context.Context) context.Context) actor.Around {
	return func(ctx context.Context, _ actor.Info) (context.Context, func(actor.Result)) {
		return add(ctx), nil
	}
}

// labelled adds a label.
func labelled(key, value string) actor.Around {
	return putting(func(ctx context.Context) context.Context {
		return pprof.WithLabels(ctx, pprof.Labels(key, value))
	})
}

// rootAndNested runs a test with the task "a" at a root and below a nested supervisor:
// tree puts the Around at the root and returns the root, and path is that of the task.
func rootAndNested(t *testing.T, test func(t *testing.T, path string, tree func(task actor.Task, around ...actor.Around) supervisor.Config)) {
	t.Helper()
	for _, row := range []struct {
		path   string
		nested bool
	}{{"/app/a", false}, {"/app/pool/a", true}} {
		t.Run(strings.ReplaceAll(row.path[1:], "/", " "), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				test(t, row.path, func(task actor.Task, around ...actor.Around) supervisor.Config {
					children := []actor.Spec{{Name: "a", Task: task, Backoff: second}}
					if row.nested {
						pool := supervisor.New(supervisor.Config{Children: children})
						children = []actor.Spec{pool.Spec("pool")}
					}
					return supervisor.Config{Name: "app", Children: children, Around: around}
				})
			})
		})
	}
}

// taskLabel is the path in the label of the task's goroutines.
func taskLabel(ctx context.Context) string {
	label, _ := pprof.Label(ctx, actor.Label)
	path, _, _ := strings.Cut(label, "#")
	return path
}

func TestWhatIsAroundAnAttemptKnowsItsTask(t *testing.T) {
	rootAndNested(t, func(t *testing.T, path string, tree func(actor.Task, ...actor.Around) supervisor.Config) {
		var looked int
		look := entering(func(ctx context.Context, at actor.Info) {
			looked++
			info, ok := actor.FromContext(ctx)
			if !ok || info.Path != path || info.ID != at.ID || at.Path != path {
				t.Errorf("the context is of %q, the attempt of %q, want %q", info.Path, at.Path, path)
			}
			if got := taskLabel(ctx); got != path {
				t.Errorf("hook %d: the label in the context is %q, want %q", looked, got, path)
			}
			if ctx.Err() != nil || ctx.Done() != nil {
				t.Error("the context of a hook may end")
			}
		})
		value := putting(func(ctx context.Context) context.Context { return context.WithValue(ctx, valueKey{}, "x") })
		open(t, tree(idle, look, look, value, look, look))
		equal(t, "hooks that have looked", looked, 4)
	})
}

func TestAHelperStartedAroundAnAttemptBelongsToItsTask(t *testing.T) {
	rootAndNested(t, func(t *testing.T, path string, tree func(actor.Task, ...actor.Around) supervisor.Config) {
		var label string
		h := open(t, tree(idle, entering(func(ctx context.Context, at actor.Info) {
			err := actor.Go(ctx, func(ctx context.Context) error {
				label = taskLabel(ctx)
				if at.Attempt == 1 {
					return errBoom
				}
				return nil
			})
			if err != nil {
				t.Errorf("Go: %v", err)
			}
		})))
		pass(time.Minute)
		equal(t, "label of the helper", label, path)
		top := h.Tree()
		for n := range top.All() {
			switch {
			case n.Path == path && (n.Attempt != 2 || !errors.Is(n.Err, errBoom)):
				t.Errorf("%s is in attempt %d, and its error is %v", n.Path, n.Attempt, n.Err)
			case n.Path != path && (n.Attempt > 1 || n.Err != nil):
				t.Errorf("%s is in attempt %d, and its error is %v", n.Path, n.Attempt, n.Err)
			}
		}
	})
}

func TestWhatIsAroundAnAttemptCannotWaitForItsEnd(t *testing.T) {
	rootAndNested(t, func(t *testing.T, path string, tree func(actor.Task, ...actor.Around) supervisor.Config) {
		var root *supervisor.Supervisor
		answers := map[string]error{}
		root = supervisor.New(tree(idle, entering(func(ctx context.Context, _ actor.Info) {
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			answers["stop"] = root.Stop(ctx, path)
			answers["remove"] = root.Remove(ctx, path)
			answers["restart"] = bErrOf(root.Restart(ctx, path))
		})))
		h := reopen(t, root)
		pass(time.Hour)
		equal(t, "answers", len(answers), 3)
		for act, err := range answers {
			bMustBe(t, act, err, supervisor.ErrSelf)
		}
		top := h.Tree()
		for n := range top.All() {
			if n.Path != "/app" && (n.Attempt != 1 || n.State != supervisor.StateRunning) {
				t.Errorf("%s is %v in attempt %d", n.Path, n.State, n.Attempt)
			}
		}
	})
}

func TestTheContextOfAHookNeitherEndsAnAttemptNorHidesWhy(t *testing.T) {
	withCancel := func(ctx context.Context, _ actor.Info) (context.Context, func(actor.Result)) {
		ctx, cancel := context.WithCancel(ctx)
		return ctx, func(actor.Result) { cancel() }
	}
	cancelled := putting(func(ctx context.Context) context.Context {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		return ctx
	})
	late := putting(func(ctx context.Context) context.Context {
		ctx, cancel := context.WithTimeoutCause(ctx, time.Millisecond, errBoom)
		context.AfterFunc(ctx, cancel)
		return ctx
	})
	for name, around := range map[string][]actor.Around{
		"cancelable": {withCancel}, "cancelled": {cancelled}, "timed out": {late}, "each": {cancelled, withCancel, late},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var early, err, cause, below error
				h := open(t, supervisor.Config{Name: "app", Around: around, Children: []actor.Spec{{Name: "a", Task: actor.Func(func(ctx context.Context) error {
					derived, cancel := context.WithCancel(ctx)
					defer cancel()
					rest(time.Second)
					early = errors.Join(ctx.Err(), context.Cause(ctx), context.Cause(derived))
					<-derived.Done()
					err, cause, below = ctx.Err(), context.Cause(ctx), context.Cause(derived)
					return nil
				})}}})
				pass(time.Minute)
				bMustBe(t, "before the end", early, nil)
				bMustBe(t, "cause before the end", cause, nil)
				bMustBe(t, "Run", h.close(), nil)
				bMustBe(t, "Err", err, context.Canceled)
				bMustBe(t, "Cause", cause, actor.ErrShutdown)
				bMustBe(t, "Cause of a derived context", below, actor.ErrShutdown)
			})
		})
	}
}

// labelsHere are the labels of the goroutine whose stack has the function, as a
// goroutine profile shows them.
func labelsHere(t *testing.T, function string) string {
	t.Helper()
	var b strings.Builder
	if err := pprof.Lookup("goroutine").WriteTo(&b, 1); err != nil {
		t.Fatal(err)
	}
	for block := range strings.SplitSeq(b.String(), "\n\n") {
		if strings.Contains(block, function) {
			_, labels, _ := strings.Cut(block, "# labels: ")
			labels, _, _ = strings.Cut(labels, "\n")
			return labels
		}
	}
	t.Errorf("no goroutine is in %s", function)
	return ""
}

// waitAtHome is a place of its own in a goroutine profile.
//
//go:noinline
func waitAtHome(ctx context.Context) { <-ctx.Done() }

func TestLabelsAddedAroundAnAttemptAreOnItsContextAndItsGoroutine(t *testing.T) {
	nothing := entering(func(context.Context, actor.Info) {})
	for name, around := range map[string][]actor.Around{
		"one hook":              {labelled("tenant", "acme"), labelled("zone", "eu")},
		"a hook without labels": {nothing, labelled("tenant", "acme"), nothing, labelled("zone", "eu"), nothing},
	} {
		t.Run(name, func(t *testing.T) {
			rootAndNested(t, func(t *testing.T, path string, tree func(actor.Task, ...actor.Around) supervisor.Config) {
				var got string
				h := open(t, tree(actor.Func(func(ctx context.Context) error {
					tenant, _ := pprof.Label(ctx, "tenant")
					zone, _ := pprof.Label(ctx, "zone")
					got = fmt.Sprint(taskLabel(ctx), " ", tenant, " ", zone)
					waitAtHome(ctx)
					return nil
				}), around...))
				equal(t, "labels in the context", got, path+" acme eu")
				here := labelsHere(t, "waitAtHome")
				for _, want := range []string{`"task":"` + path + "#", `"tenant":"acme"`, `"zone":"eu"`} {
					if !strings.Contains(here, want) {
						t.Errorf("the goroutine has the labels %s, and not %s", here, want)
					}
				}
				if leaks := h.Leaks(); len(leaks) > 0 {
					t.Errorf("leaks: %v", leaks)
				}
			})
		})
	}
}
