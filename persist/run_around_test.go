package persist_test

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/supervisor"
)

// What is put around attempts comes before the handler, and may take longer than the grace of one that is cancelled
// meanwhile. The job keeps its key until that has returned, and ends then, however it does.
func TestAJobThatIsGivenUpBeforeItsHandlerIsEnteredEndsInTheEnd(t *testing.T) {
	for _, row := range []struct {
		name string
		late func()
	}{
		{"it returns", func() {}},
		{"it panics", func() { panic("boom") }},
		{"it leaves its goroutine", runtime.Goexit},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				around := func(_ context.Context, at actor.Info) (context.Context, func(actor.Result)) {
					if at.Job != nil {
						time.Sleep(time.Minute)
						row.late()
					}
					return nil, nil
				}
				r := hang(t, persist.Config{
					Handlers:   []persist.Handler{chore.Handle(func(context.Context, string) error { return nil })},
					Defaults:   []persist.Option{persist.WithGrace(5 * time.Second)},
					Supervisor: supervisor.Config{Around: []actor.Around{around}},
				})
				r.loose = true
				id := r.submit("a")
				synctest.Wait()
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				if err := r.Cancel(ctx, id); err != nil {
					t.Fatal(err)
				}
				same(t, "took", time.Since(began), time.Minute)
				j := r.wait(id)
				same(t, "end", j.End.Kind, persist.Cancelled)
			})
		})
	}
}
