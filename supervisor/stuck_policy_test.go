package supervisor_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// What becomes of an attempt that ignores the end of its context.
const (
	bWaits     = "it is waited for, and then goes on"
	bWaitsEnd  = "it is waited for, and then ends"
	bReplaced  = "it is abandoned and followed by the next generation"
	bLeft      = "it is abandoned at the end of its grace"
	bLeftLate  = "it is abandoned at the end of the deadline"
	bEscalates = "its supervisor ends"
)

const bDeadline = 30 * time.Second

func TestWhatIsDoneAboutAStuckAttempt(t *testing.T) {
	hand := func(do func(*bTree) error) func(*bTree) {
		return func(b *bTree) { go do(b) } // what becomes of the child is looked at
	}
	situations := map[string]struct {
		do   func(*bTree)
		want [4]string // auto, wait, abandon, escalate
	}{
		"timeout": {nil, [4]string{bWaits, bWaits, bReplaced, bEscalates}},
		"stall":   {nil, [4]string{bWaits, bWaits, bReplaced, bEscalates}},
		"group":   {nil, [4]string{bWaits, bWaits, bReplaced, bEscalates}},
		"restart": {
			hand(func(b *bTree) error { return bErrOf(b.Restart(b.t.Context(), "deaf")) }),
			[4]string{bWaits, bWaits, bReplaced, bEscalates},
		},
		"stop": {
			hand(func(b *bTree) error { return b.Stop(b.t.Context(), "deaf") }),
			[4]string{bLeft, bWaitsEnd, bLeft, bEscalates},
		},
		"remove": {
			hand(func(b *bTree) error { return b.Remove(b.t.Context(), "deaf") }),
			[4]string{bLeft, bWaitsEnd, bLeft, bEscalates},
		},
		"shutdown": {(func(b *bTree) { b.cancel() }), [4]string{bLeft, bLeftLate, bLeft, bLeft}},
	}
	for name, s := range situations {
		for choice, want := range s.want {
			onStuck := policy.OnStuck(choice) //nolint:gosec // 0 to 3
			t.Run(name+"/"+onStuck.String(), func(t *testing.T) {
				bBubble(t, func(t *testing.T, _ chan struct{}) { bStuckIn(t, name, s.do, onStuck, want) })
			})
		}
	}
}

// bStuckIn plays one situation: the first attempt is deaf, later ones are not.
func bStuckIn(t *testing.T, situation string, do func(*bTree), onStuck policy.OnStuck, want string) {
	open := make(chan struct{})
	spec := actor.Spec{
		Name: "deaf", Grace: time.Second, OnStuck: onStuck, Backoff: policy.NoBackoff(),
		Task: bEach(func(ctx context.Context, attempt int) error {
			if attempt == 1 {
				<-open
				return nil
			}
			for ctx.Err() == nil {
				actor.Beat(ctx)
				rest(100 * time.Millisecond)
			}
			return nil
		}),
	}
	fail := spec
	fail.Name, fail.OnStuck, fail.Task = "sibling", policy.StuckAuto, actor.Func(bIdle)
	cfg := supervisor.Config{StopTimeout: bDeadline}
	switch situation {
	case "timeout":
		spec.Timeout = 500 * time.Millisecond
		spec.Task = bEach(func(_ context.Context, attempt int) error {
			if attempt == 1 {
				<-open
				return nil
			}
			return actor.Done
		})
	case "stall":
		spec.Stall = 500 * time.Millisecond
	case "group":
		cfg.Strategy = supervisor.OneForAll
		fail.Task = bEach(func(ctx context.Context, attempt int) error {
			if attempt == 1 {
				rest(500 * time.Millisecond)
				return errOfB
			}
			return bIdle(ctx)
		})
	}
	cfg.Children = []actor.Spec{spec, fail}
	b := bRun(t, cfg)
	h, _ := b.Handle("deaf")
	if do != nil {
		rest(500 * time.Millisecond)
		do(b)
	}

	// Half a second before the grace is over nothing has been decided.
	rest(500*time.Millisecond - b.at() + 900*time.Millisecond)
	if n := b.node("/app/deaf"); n.State != supervisor.StateStopping {
		t.Errorf("within its grace it is %v", n.State)
	}
	rest(5 * time.Second)
	got := bWhatBecame(b, h)
	if got == bWaits && b.Tree().State == supervisor.StateStopping {
		rest(bDeadline)
		if got = "Run has not returned"; b.ended() {
			got = bLeftLate
		}
	}
	close(open)
	rest(time.Second)
	if o, ok := h.Outcome(); got == bWaits && ok && o.Kind == events.Stopped {
		got = bWaitsEnd
	}
	if got != want {
		t.Errorf("%s; want: %s", got, want)
	}
	if n := b.node("/app/deaf"); want == bWaits && (n.Attempt != 2 || n.Generation != 1) {
		t.Errorf("after it returned it is in attempt %d, generation %d", n.Attempt, n.Generation)
	}
	err, _ := b.stop()
	if named := len(bStuck(err)) == 1; named != (want == bEscalates || situation == "shutdown") && want != bLeft {
		t.Errorf("Run returned %v", err)
	}
}

// bWhatBecame says what has been done by now.
func bWhatBecame(b *bTree, h *actor.Handle) string {
	n := b.node("/app/deaf")
	o, ended := h.Outcome()
	var escalated *supervisor.EscalatedError
	switch {
	case b.ended() && errors.As(b.err, &escalated):
		return bEscalates
	case ended && o.Kind == events.Abandoned:
		return bLeft
	case n.State == supervisor.StateStuck && n.Attempt == 1:
		return bWaits
	case n.Attempt == 2 && n.Generation == 2:
		return bReplaced
	}
	return n.State.String()
}

func TestAStuckEventRepeatsTwiceAsLateEachTime(t *testing.T) {
	rows := map[time.Duration][]time.Duration{
		100 * time.Millisecond: {100 * time.Millisecond, 1100 * time.Millisecond, 3100 * time.Millisecond, 7100 * time.Millisecond},
		time.Second: {
			time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second,
			64 * time.Second, 124 * time.Second, 184 * time.Second,
		},
		5 * time.Minute: {5 * time.Minute, 10 * time.Minute, 15 * time.Minute},
	}
	for grace, want := range rows {
		bBubble(t, func(t *testing.T, gate chan struct{}) {
			b := bRun(t, supervisor.Config{Children: []actor.Spec{
				{Name: "a", Task: actor.Func(func(context.Context) error { bHangInLeaf(gate); return nil }), Timeout: time.Second, Grace: grace},
			}})
			rest(time.Second + want[len(want)-1] + time.Millisecond)
			var got []time.Duration
			for i, e := range b.log.of(events.TaskStuck, "/app/a") {
				got = append(got, e.Elapsed)
				var stuck *actor.StuckError
				if !errors.As(e.Err, &stuck) || !slices.Equal(bPlaces(stuck.Goroutines), []string{"bHangInLeaf"}) {
					t.Errorf("the event carries %v", e.Err)
				}
				if e.Count != uint64(i+1) || e.Reason != events.ReasonTimeout || e.Attempt != 1 || e.Generation != 1 { //nolint:gosec // small
					t.Errorf("%v", e)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("grace %v: at %v, want %v", grace, got, want)
			}
			b.stop()
		})
	}
}
