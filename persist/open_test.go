package persist_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
	"github.com/taskvisor/taskvisor/supervisor"
)

// broken is a store that cannot be opened.
type broken struct{ err error }

func (b broken) Open(context.Context) (persist.Store, error) { return nil, b.err }

func TestAStoreThatCannotBeOpenedEndsTheProgramThatNeedsIt(t *testing.T) {
	for _, err := range []error{
		&persist.LockedError{Path: "jobs.db", Owner: "pid 4711"},
		&persist.FormatError{Path: "jobs.db", Format: 9, Newest: 1},
		&persist.CorruptError{Path: "jobs.db", Err: errors.New("page 7")},
	} {
		synctest.Test(t, func(t *testing.T) {
			q := persist.New(persist.Config{Store: broken{err}})
			if got := q.Run(t.Context()); !errors.Is(got, err) {
				t.Errorf("alone: %v", got)
			}
			app := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{q.Spec("")}})
			if got := app.Run(t.Context()); !errors.Is(got, err) {
				t.Errorf("in a tree: %v", got)
			}
		})
	}
}

func TestTwoQueuesCannotShareAStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		start(t, persist.Config{Store: store})
		var locked *persist.LockedError
		if err := persist.New(persist.Config{Store: store}).Run(t.Context()); !errors.As(err, &locked) {
			t.Error(err)
		}
	})
}
