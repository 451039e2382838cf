package persist_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
)

// Jobs that are ready run after the workers were restarted by path.
func TestReadyJobsRunAfterTheWorkersWereRestarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		q := persist.New(persist.Config{Store: memstore.New(), Workers: 1, Handlers: s.handlers()})
		stop := again(t, q)
		must(t)(chore.Submit(t.Context(), q, "a"))
		must(t)(chore.Submit(t.Context(), q, "b"))
		same(t, "inside", s.now(), "a")
		if _, err := q.Head().Restart(t.Context(), "workers"); err != nil {
			t.Fatal(err)
		}
		elapse(time.Second)
		same(t, "inside a second after", s.now(), "a")
		elapse(35 * time.Second)
		same(t, "inside later", s.now(), "a")
		elapse(2 * time.Hour)
		same(t, "inside after two hours", s.now(), "a")
		s.letAllGo()
		stop()
	})
}
