package persist_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/taskvisor/taskvisor/persist"
)

// run with -race.
func TestAnAliasMayBeLearntWhileJobsBegin(t *testing.T) {
	for i := range 30 {
		old := fmt.Sprintf("old%d", i)
		h := start(t, persist.Config{Workers: 64, Handlers: []persist.Handler{persist.HandleRaw(old, func(context.Context, []byte) error { return nil })}})
		done := make(chan struct{})
		go func() {
			defer close(done)
			for j := range 300 {
				if _, err := h.Submit(t.Context(), persist.Raw(old, fmt.Appendf(nil, "%d", j))); err != nil {
					return
				}
			}
		}()
		for j := range 20 {
			_ = j
			h.Counts()
		}
		kind := persist.DefineIn[int](&persist.Domain{Name: fmt.Sprint("new", i)}, "note", persist.WithAliases(old))
		if err := h.Handle(kind.Handle(func(context.Context, int) error { return nil })); err != nil {
			t.Fatal(err)
		}
		<-done
		_ = h.stop()
	}
}
