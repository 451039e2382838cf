package persist_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
)

func TestAQueueWithoutWorkersTakesJobsInAndRunsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, persist.Config{Handlers: []persist.Handler{noteType.Handle(func(context.Context, note) error { return nil })}, Workers: persist.NoWorkers})
		waits := func(want persist.WaitReason) persist.ID {
			t.Helper()
			r := must(t)(noteType.Submit(t.Context(), h.Queue, note{1}))
			synctest.Wait()
			if w, err := h.Why(t.Context(), r.ID); err != nil || w.Reason != want {
				t.Errorf("%+v, %v", w, err)
			}
			return r.ID
		}
		id := waits(persist.WaitsForWorker)
		for _, n := range []int{0, -1} {
			if err := h.SetWorkers(n); err == nil {
				t.Errorf("%d workers are not refused", n)
			}
		}
		if err := h.SetWorkers(1); err != nil {
			t.Fatal(err)
		}
		h.await(id)
		if err := h.SetWorkers(persist.NoWorkers); err != nil {
			t.Fatal(err)
		}
		waits(persist.WaitsForWorker)
	})
}

func TestAPayloadIsDecodedAsForAHandler(t *testing.T) {
	if _, err := noteType.Decode(persist.New(persist.Config{}), []byte(`{}`)); err == nil {
		t.Error("a queue without a store decodes")
	}
	q := persist.New(persist.Config{Store: memstore.New(), Types: []persist.Known{noteType}})
	if n, err := noteType.Decode(q, []byte(`{"N":7}`)); err != nil || n.N != 7 {
		t.Error(n, err)
	}
	if _, err := noteType.Decode(q, []byte(`{`)); err == nil {
		t.Error("it is decoded")
	}
	if _, err := persist.Define[int]("note").Decode(q, []byte(`7`)); err == nil {
		t.Error("two types have one name")
	}
}
