package persist_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
)

// What was forgotten to make room is not counted any more, though it was in doubt for a while whether it was.
func TestWhatWasForgottenInDoubtIsNotCounted(t *testing.T) {
	for name, settles := range map[string]int{"settled at once": 0, "settled later": 1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := memstore.New()
				r := hang(t, persist.Config{Store: m, Handlers: []persist.Handler{chore.Handle(func(context.Context, string) error { return nil })}})
				const jobs = 12
				for range jobs {
					r.wait(r.submit("a"))
				}
				doubted := false
				m.BeforeCommit(func(_ context.Context, steps []persist.Step) error {
					if !doubted && len(steps) == 1 && steps[0].Verb == persist.Prune {
						doubted = true
						m.UnknownNext(true)
						m.FailSettle(settles, errOops)
					}
					return nil
				})
				m.Limit(jobs)
				_, err := chore.Submit(t.Context(), r.Queue, "b") // is refused, if it is not known yet whether there is room
				if (err == nil) != (settles == 0) {
					t.Errorf("submitted: %v", err)
				}
				r.wait(r.submit("c"))
				m.Limit(0)
				synctest.Wait()
				same(t, "doubted", doubted, true)
				past, err := r.Past(t.Context(), persist.PastQuery{Limit: 100})
				isError(t, "past", err, nil)
				same(t, "counted", r.Counts()[persist.Ended], len(past))
			})
		})
	}
}
