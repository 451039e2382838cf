package supervisor_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/supervisor"
)

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
