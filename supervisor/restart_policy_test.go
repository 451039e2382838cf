package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// exits are the ways in which the first run of a task can end by itself, each
// after a second.
var exits = map[policy.Exit]struct {
	step actor.Func
	spec func(*actor.Spec)
}{
	policy.Succeeded: {step: in(time.Second, nil)},
	policy.Finished:  {step: in(time.Second, fmt.Errorf("enough: %w", actor.Done))},
	policy.Failed:    {step: in(time.Second, errBoom)},
	policy.Fatal:     {step: in(time.Second, fmt.Errorf("hopeless: %w", actor.Fatal(errBoom)))},
	policy.Escalated: {step: in(time.Second, fmt.Errorf("all of us: %w", actor.Escalate(errBoom)))},
	policy.Panicked: {step: func(context.Context) error {
		rest(time.Second)
		panic(errBoom)
	}},
	policy.Exited: {step: func(context.Context) error {
		rest(time.Second)
		runtime.Goexit()
		return nil
	}},
	policy.TimedOut: {step: serve, spec: func(s *actor.Spec) { s.Timeout = time.Second }},
	policy.Stalled:  {step: serve, spec: func(s *actor.Spec) { s.Stall = time.Second }},
}

// again is what a task does that runs again: it has to be left alone.
func again(ctx context.Context) error {
	for ctx.Err() == nil {
		actor.Beat(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

func TestWhatFollowsAnExitIsSaidByTheRestartType(t *testing.T) {
	const (
		completes = "completes"
		fails     = "fails"
		repeats   = "runs again"
		retries   = "runs again after its delay"
		escalates = "ends its supervisor"
	)
	table := map[policy.Exit][3]string{ // OnFailure, Always, Never
		policy.Succeeded: {completes, repeats, completes},
		policy.Finished:  {completes, completes, completes},
		policy.Failed:    {retries, retries, fails},
		policy.Fatal:     {fails, fails, fails},
		policy.Escalated: {escalates, escalates, escalates},
		policy.Panicked:  {retries, retries, fails},
		policy.Exited:    {retries, retries, fails},
		policy.TimedOut:  {retries, retries, fails},
		policy.Stalled:   {retries, retries, fails},
	}
	for exit, row := range table {
		for i, restart := range []policy.Restart{policy.OnFailure, policy.Always, policy.Never} {
			want := row[i]
			t.Run(fmt.Sprintf("%v with %v %s", exit, restart, want), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var e ear
					j := newJournal()
					spec := j.spec("a", exits[exit].step, again)
					spec.Restart, spec.Backoff = restart, policy.Constant(5*time.Second)
					if change := exits[exit].spec; change != nil {
						change(&spec)
						spec.Stall, spec.Timeout = 2*spec.Stall, 2*spec.Timeout
						change(&spec)
					}
					h := open(t, supervisor.Config{Subscribers: e.subscriber(events.AttemptEnded), Children: []actor.Spec{spec}})
					hd := h.handle("a")
					pass(1500 * time.Millisecond)
					if first := e.of("/a")[0]; first.Exit != exit {
						t.Errorf("the exit was %v", first.Exit)
					}
					switch want {
					case completes:
						o := outcome(t, hd)
						equal(t, "outcome", o.Kind, events.Completed)
						equal(t, "error", o.Err, nil)
						equal(t, "state", h.child("a").State, supervisor.StateCompleted)
					case fails:
						o := outcome(t, hd)
						equal(t, "outcome", o.Kind, events.Failed)
						if o.Err == nil {
							t.Error("the outcome has no error")
						}
						equal(t, "state", h.child("a").State, supervisor.StateFailed)
					case repeats:
						equal(t, "runs", j.count("a"), 2)
					case retries:
						equal(t, "runs during the delay", j.count("a"), 1)
						equal(t, "state", h.child("a").State, supervisor.StateBackingOff)
						equal(t, "next retry", h.child("a").NextRetry, j.began.Add(6*time.Second))
						pass(5 * time.Second)
						equal(t, "runs after the delay", j.count("a"), 2)
					case escalates:
						err := as[*supervisor.EscalatedError](t, h.wait())
						equal(t, "child", err.Child, "/a")
						if !errors.Is(err, errBoom) {
							t.Errorf("%v does not wrap the child's error", err)
						}
						equal(t, "outcome", outcome(t, hd).Kind, events.Failed)
					}
					if want == completes || want == fails {
						pass(time.Minute)
						equal(t, "runs", j.count("a"), 1)
					}
				})
			})
		}
	}
}

func TestDelaysAreExactlyThoseOfTheBackoff(t *testing.T) {
	custom := policy.Custom(func() backoff.BackOff { return backoff.NewConstantBackOff(3 * time.Second) })
	rows := map[string]struct {
		backoff policy.Backoff
		starts  []string
	}{
		"doubling": {doubling, []string{"0s +a", "1s +a", "3s +a", "7s +a", "15s +a", "31s +a"}},
		"doubling up to a maximum": {
			policy.Backoff{Jitter: policy.NoJitter, First: time.Second, Max: 3 * time.Second},
			[]string{"0s +a", "1s +a", "3s +a", "6s +a", "9s +a", "12s +a"},
		},
		"linear": {
			policy.Backoff{Shape: policy.ShapeLinear, Jitter: policy.NoJitter, First: time.Second, Step: 2 * time.Second, Max: time.Hour},
			[]string{"0s +a", "1s +a", "4s +a", "9s +a", "16s +a", "25s +a"},
		},
		"constant": {second, []string{"0s +a", "1s +a", "2s +a", "3s +a", "4s +a", "5s +a"}},
		"custom":   {custom, []string{"0s +a", "3s +a", "6s +a", "9s +a", "12s +a", "15s +a"}},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				spec := j.spec("a", in(0, errBoom), in(0, errBoom), in(0, errBoom), in(0, errBoom), in(0, errBoom), serve)
				spec.Backoff = row.backoff
				open(t, supervisor.Config{Children: []actor.Spec{spec}})
				pass(time.Hour)
				var starts []string
				for _, l := range j.take() {
					if l[len(l)-2] == '+' {
						starts = append(starts, l)
					}
				}
				equalLines(t, starts, row.starts...)
			})
		})
	}
}
