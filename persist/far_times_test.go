package persist_test

import (
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
	"github.com/taskvisor/taskvisor/policy"
)

func TestATimeThatAQueueCannotKeepIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := hang(t, persist.Config{Workers: persist.NoWorkers})
		now := time.Now()
		for _, row := range []struct {
			what  string
			opt   persist.Option
			field string
		}{
			{"as far as may be", persist.WithRunAt(now.Add(persist.MaxWait)), ""},
			{"a little farther", persist.WithRunAt(now.Add(persist.MaxWait + 1)), "RunAt"},
			{"three centuries", persist.WithRunAt(now.AddDate(300, 0, 0)), "RunAt"},
			{"a year that no JSON tells", persist.WithRunAt(time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)), "RunAt"},
			{"the last time of all", persist.WithRunAt(time.Unix(1<<62, 0)), "RunAt"},
			{"a year of the past that no JSON tells", persist.WithRunAt(time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)), ""},
			{"the first time of all", persist.WithRunAt(time.Unix(-1<<60, 0)), ""},
			{"as long as may be", persist.WithDelay(persist.MaxWait), ""},
			{"a little longer", persist.WithDelay(persist.MaxWait + 1), "Delay"},
			{"for ever", persist.WithDelay(policy.Forever), "Delay"},
			{"worth running as long as may be", persist.WithTTL(persist.MaxWait), ""},
			{"worth running a little longer", persist.WithTTL(persist.MaxWait + 1), "TTL"},
			{"worth running for ever", persist.WithTTL(policy.Forever), ""},
			{"worth running a little longer from the first attempt", persist.WithTTLFromFirstAttempt(persist.MaxWait + 1), "TTL"},
			{"worth running for ever from the first attempt", persist.WithTTLFromFirstAttempt(policy.Forever), ""},
		} {
			res, err := chore.Submit(t.Context(), r.Queue, "a", row.opt)
			if row.field == "" {
				isError(t, row.what, err, nil)
				if _, err := json.Marshal(r.look(res.ID)); err != nil {
					t.Errorf("%s: %v", row.what, err)
				}
				continue
			}
			var sub *persist.SubmissionError
			var field *policy.FieldError
			if !errors.As(err, &sub) || sub.Type != "chore" || !errors.As(err, &field) || field.Field != row.field {
				t.Errorf("%s: error %v, want one of %s", row.what, err, row.field)
			}
		}
	})
}

// A job that was accepted for a far time is due then, whatever is stored of it meanwhile.
func TestAFarTimeSurvivesWhatIsChangedOfAJob(t *testing.T) {
	far := func() time.Time { return time.Now().Add(persist.MaxWait - 42).Round(0) }
	for _, row := range []struct {
		what         string
		opt          func() persist.Option
		due, expires bool
	}{
		{"a time to run", func() persist.Option { return persist.WithRunAt(far()) }, true, false},
		{"a delay", func() persist.Option { return persist.WithDelay(persist.MaxWait - 42) }, true, false},
		{"a time to live", func() persist.Option { return persist.WithTTL(persist.MaxWait - 42) }, false, true},
		{"no end", func() persist.Option { return persist.WithTTL(policy.Forever) }, false, false},
	} {
		t.Run(row.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mem := memstore.New()
				r := hang(t, persist.Config{Store: mem, Workers: persist.NoWorkers})
				var due, expires time.Time
				if row.due {
					due = far()
				}
				if row.expires {
					expires = far()
				}
				submit := func(opt persist.Option) persist.Result {
					return must(t)(chore.Submit(t.Context(), r.Queue, "a", persist.WithKey("k"), opt))
				}
				id := submit(row.opt()).ID
				for i, p := range []persist.Priority{persist.High, persist.Realtime} {
					elapse(time.Hour)
					same(t, "the second", submit(persist.WithPriority(p)).Kind, persist.Upgraded)
					j := r.look(id)
					if !j.State.RunAt.Equal(due) || !j.Expires.Equal(expires) || j.State.Priority != p {
						t.Errorf("run %d: it runs at %v and expires at %v, want %v and %v", i, j.State.RunAt, j.Expires, due, expires)
					}
					isError(t, "stop", r.halt(), nil)
					r = hang(t, persist.Config{Store: mem, Workers: persist.NoWorkers})
				}
			})
		})
	}
}

func TestAJobWhoseTimeIsBeforeAllYearsRunsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := hang(t, persist.Config{Handlers: s.handlers()})
		r.submit("a", persist.WithRunAt(time.Unix(-1<<60, 0)))
		r.submit("b", persist.WithRunAt(time.Time{}.Add(1)))
		same(t, "inside", s.now(), "a b")
		s.letAllGo()
	})
}
