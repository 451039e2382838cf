package supervisor_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// bFamily is a supervisor with something around it.
type bFamily struct {
	*supervisor.Supervisor
	around func(ctx context.Context, run func(context.Context) error) error
}

func (f *bFamily) Run(ctx context.Context) error { return f.around(ctx, f.Supervisor.Run) }

func TestStuckLeavesAreNamedWhenTheirSupervisorWasFailingAlready(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		pool := supervisor.New(supervisor.Config{Name: "pool", Children: []actor.Spec{
			{Name: "deaf", Task: bDeaf(gate), Grace: 5 * time.Second},
			{Name: "fails", Task: actor.Func(func(context.Context) error {
				rest(time.Second)
				return actor.Escalate(errOfB)
			})},
		}})
		b := bRun(t, supervisor.Config{Children: []actor.Spec{pool.Spec("")}})
		rest(2 * time.Second)
		err, _ := b.stop()
		if got, want := bStuck(err), []string{"/app/pool/deaf"}; !slices.Equal(got, want) {
			t.Errorf("stuck are %v, want %v; Run returned %v", got, want, err)
		}
	})
}

func TestTheDeadlineReachesAFamilyThatHasNotBegunItsSupervisorYet(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		fam := &bFamily{
			Supervisor: supervisor.New(supervisor.Config{Children: []actor.Spec{
				{Name: "deaf", Task: bDeaf(gate), Grace: policy.Forever},
			}}),
			around: func(ctx context.Context, run func(context.Context) error) error {
				rest(3 * time.Second)
				return run(ctx)
			},
		}
		b := bRun(t, supervisor.Config{StopTimeout: 5 * time.Second, Children: []actor.Spec{{Name: "fam", Task: fam}}})
		rest(time.Second)
		if _, took := b.stop(); took > 6*time.Second {
			t.Errorf("the stop took %v, and should take 5s", took)
		}
	})
}

func TestAFamilyThatDoesNotReturnIsStuckLikeAnyTask(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		fam := &bFamily{
			Supervisor: supervisor.New(supervisor.Config{}),
			around: func(ctx context.Context, run func(context.Context) error) error {
				_ = run(ctx)
				<-gate
				return nil
			},
		}
		b := bRun(t, supervisor.Config{StopTimeout: 5 * time.Second, Children: []actor.Spec{{Name: "fam", Task: fam}}})
		b.cancel()
		rest(time.Minute)
		if !b.ended() {
			t.Errorf("a minute after the stop Run has not returned; StopTimeout is 5s")
		} else if got := bStuck(b.err); !slices.Equal(got, []string{"/app/fam"}) {
			t.Errorf("stuck are %v", got)
		}
	})
}

func TestALameDuckBelowDoesNotOutlastTheDeadline(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		pool := supervisor.New(supervisor.Config{Name: "pool", LameDuck: 30 * time.Second, Children: []actor.Spec{
			{Name: "a", Task: actor.Func(bIdle)},
		}})
		b := bRun(t, supervisor.Config{StopTimeout: 5 * time.Second, Children: []actor.Spec{pool.Spec("")}})
		go b.Restart(t.Context(), "pool") // it is cut off by the stop
		rest(time.Second)
		if _, took := b.stop(); took > 6*time.Second {
			t.Errorf("the stop took %v, and should take 5s at most", took)
		}
	})
}

func TestLameDuckAndStopAreWithinOneDeadline(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		b := bRun(t, supervisor.Config{StopTimeout: 10 * time.Second, LameDuck: 6 * time.Second, Children: []actor.Spec{
			{Name: "deaf", Task: bDeaf(gate), Grace: policy.Forever},
		}})
		if _, took := b.stop(); took > 10*time.Second {
			t.Errorf("the stop took %v, and StopTimeout is 10s", took)
		}
	})
}

func TestAFamilyThatWrapsTheErrorOfItsSupervisorStillNamesTheStuck(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		fam := &bFamily{
			Supervisor: supervisor.New(supervisor.Config{Children: []actor.Spec{{Name: "deaf", Task: bDeaf(gate), Grace: time.Second}}}),
			around: func(ctx context.Context, run func(context.Context) error) error {
				if err := run(ctx); err != nil {
					return &bWrapped{err}
				}
				return nil
			},
		}
		b := bRun(t, supervisor.Config{Children: []actor.Spec{{Name: "fam", Task: fam}}})
		err, _ := b.stop()
		if got := bStuck(err); !slices.Equal(got, []string{"/app/fam/deaf"}) {
			t.Errorf("stuck are %v, Run returned %v", got, err)
		}
	})
}

type bWrapped struct{ err error }

func (e *bWrapped) Error() string { return "family: " + e.err.Error() }
func (e *bWrapped) Unwrap() error { return e.err }
