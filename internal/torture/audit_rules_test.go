//go:build unix

package torture

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
)

// An audit finds what is in a store, or is missing, against what was heard.
func TestTheAuditFindsWhatWasNotKept(t *testing.T) {
	record := func(id persist.ID, of task) *persist.Record {
		text, err := json.Marshal(padded{task: of})
		if err != nil {
			t.Fatal(err)
		}
		return &persist.Record{ID: id, Type: of.Type, Payload: text}
	}
	insert := persist.Step{Verb: persist.Insert, Record: record(1, task{N: 1, Type: "other"})}
	end := func(attempts int, kind persist.Ending) persist.Step {
		return persist.Step{Verb: persist.Resolve, ID: 1, State: persist.State{Attempts: attempts}, End: persist.End{Kind: kind}}
	}
	const sub = `sub {"n":1,"type":"other"}
		ack 1 inserted 1 0
		`
	const ran = sub + `in 1 1 1 false
		out 1 1 1 ok`
	for _, test := range []struct {
		name  string
		story string
		steps []persist.Step
		want  string
	}{
		{"all is well", ran, []persist.Step{insert, end(1, persist.Completed)}, ""},
		{"an acknowledged job is lost", sub, nil, "acknowledged, and is not there"},
		{"a relaxed one may be", `sub {"n":1,"type":"soft","soft":true}
			ack 1 inserted 1 0`, nil, ""},
		{"a relaxed one was told to have ended", `sub {"n":1,"type":"soft","soft":true}
			ack 1 inserted 1 0
			in 1 1 1 false
			out 1 1 1 ok
			end 1 completed`, nil, "durable, and is not there"},
		{"an end is lost", ran + `
			end 1 completed`, []persist.Step{insert}, "told to be completed, and has not ended"},
		{"something is left", sub, []persist.Step{insert}, "nothing is left to do"},
		{"a crash has used up an attempt", ran, []persist.Step{insert, end(2, persist.Completed)}, "2 attempts are used up"},
		{"it was never run", sub, []persist.Step{insert, end(1, persist.Completed), {Verb: persist.Prune, Kind: persist.Completed, Count: 1}}, "never ran"},
		{"nobody has submitted it", "", []persist.Step{insert}, "nobody submitted"},
		{"it is another", `sub {"n":1,"type":"other","group":"one"}
			ack 1 inserted 1 0`, []persist.Step{insert, end(0, persist.Cancelled)}, "not what was submitted"},
		{"half of a batch is there", `sub {"n":1,"type":"other","batch":1}
			sub {"n":2,"type":"other","batch":1}`,
			[]persist.Step{{Verb: persist.Insert, Record: record(1, task{N: 1, Type: "other", Batch: 1})}}, "submitted with it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWitness()
			w.workers = 1
			for line := range strings.Lines(test.story) {
				w.hear(strings.TrimSpace(line))
			}
			w.died()
			s, err := memstore.New().Open(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Recover(t.Context(), func(*persist.Job) error { return nil }); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Commit(t.Context(), test.steps); err != nil {
				t.Fatal(err)
			}
			w.audit(t.Context(), s, true)
			faults := strings.Join(w.faults, "\n")
			if (test.want == "") != (faults == "") || !strings.Contains(faults, test.want) {
				t.Errorf("want %q, and found:\n%s", test.want, faults)
			}
		})
	}
}
