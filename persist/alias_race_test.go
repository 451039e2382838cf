package persist_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/taskvisor/taskvisor/persist"
)

// jobs of the old name go on under the new one, and all are run.
func TestAnAliasMayBeLearntWhileJobsBegin(t *testing.T) {
	for i := range 30 {
		old := fmt.Sprintf("old%d", i)
		h := start(t, persist.Config{Workers: 64, Handlers: []persist.Handler{persist.HandleRaw(old, func(context.Context, []byte) error { return nil })}})
		ids := make(chan persist.ID, 300)
		go func() {
			defer close(ids)
			for j := range cap(ids) {
				result, err := h.Submit(t.Context(), persist.Raw(old, fmt.Appendf(nil, "%d", j)))
				if err != nil {
					t.Error(err)
					return
				}
				ids <- result.ID
			}
		}()
		for range 20 {
			h.Counts()
		}
		kind := persist.DefineIn[int](&persist.Domain{Name: fmt.Sprint("new", i)}, "note", persist.WithAliases(old))
		if err := h.Handle(kind.Handle(func(context.Context, int) error { return nil })); err != nil {
			t.Fatal(err)
		}
		for id := range ids {
			if j, err := h.Await(t.Context(), id); err != nil || j.End.Kind != persist.Completed {
				t.Fatalf("job %d: %v, %v", id, j, err)
			}
		}
		_ = h.stop()
	}
}
