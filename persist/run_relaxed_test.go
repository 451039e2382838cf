package persist_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/persist"
)

func TestARelaxedJobRunsAtOnceAndEndsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := hang(t, persist.Config{Handlers: s.handlers(), RelaxedDelay: time.Second})
		id := r.submit("it", persist.WithDurability(persist.Relaxed))
		same(t, "running", s.now(), "it")
		same(t, "at once", time.Since(r.began), "0s")
		same(t, "as it stands", string(r.look(id).Payload), `"it"`)
		s.letGo(nil, "it")
		j := r.wait(id)
		same(t, "end", j.End.Kind, persist.Completed)
		same(t, "attempts", j.Attempts, 1)
		same(t, "snoozed", r.told(events.JobSnoozed), 0)
	})
}
