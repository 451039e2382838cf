package persist_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
)

// Events say who a job is, also those about jobs that do not run.
func TestEventsOfJobsThatDoNotRunSayWhoTheyAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		m := memstore.New()
		r := hang(t, persist.Config{Store: m, Handlers: s.handlers(), Defaults: []persist.Option{oneSecond}})
		who := func(key string, more ...persist.Option) []persist.Option {
			return append([]persist.Option{persist.WithKey(key), persist.WithLabel("label"), persist.WithTag("tenant", "acme"), persist.WithGroup("g")}, more...)
		}
		again := r.submit("again", who("again")...)
		s.letGo(errOops, "again")
		isError(t, "cancel of one that waits for a retry", r.Cancel(t.Context(), again), nil)
		isError(t, "pause", r.SetWorkers(persist.NoWorkers), nil)
		synctest.Wait()
		r.rec.Reset()
		isError(t, "cancel", r.Cancel(t.Context(), r.submit("c", who("c")...)), nil)
		r.submit("e", who("e", persist.WithTTL(time.Second))...)
		elapse(2 * time.Second)
		r.submit("s", who("s")...)
		r.submit("s", who("s", persist.WithPriority(persist.High))...)
		r.submit("s", who("s", persist.WithDuplicates(persist.Supersede))...)
		r.submit("r", who("r", persist.WithDurability(persist.Relaxed))...)
		r.submit("r", who("r", persist.WithDurability(persist.Relaxed), persist.WithPriority(persist.High))...)
		isError(t, "cancel of one that is not stored yet", r.Cancel(t.Context(), r.submit("x", who("x", persist.WithDurability(persist.Relaxed))...)), nil)
		g := hold(m) // so that an insertion and the end of the same job share a commit
		done := make(chan error, 3)
		for _, opts := range [][]persist.Option{who("other"), who("y"), who("y", persist.WithDuplicates(persist.Supersede))} {
			go func() { _, err := chore.Submit(t.Context(), r.Queue, "y", opts...); done <- err }()
			synctest.Wait()
		}
		g.arrive()
		g.pass(nil)
		g.arrive()
		g.end(nil)
		for range 3 {
			isError(t, "submit", <-done, nil)
		}
		isError(t, "revive", r.Revive(t.Context(), again), nil)
		synctest.Wait()

		told := map[events.Kind]int{}
		for _, e := range r.rec.Events() {
			if e.Job == nil {
				continue
			}
			told[e.Kind]++
			if e.Job.Key == "" || e.Job.Label != "label" || len(e.Job.Tags) != 1 || e.Job.Group != "g" || e.Job.Type != "chore" {
				t.Errorf("%v: %+v", e.Kind, *e.Job)
			}
		}
		for kind, n := range map[events.Kind]int{
			events.JobCancelled: 2, events.JobExpired: 1, events.JobUpgraded: 2, events.JobSuperseded: 2, events.JobRevived: 1,
		} {
			same(t, kind.String(), told[kind], n)
		}
	})
}

func TestTheEventOfABatchNamesItsType(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := hang(t, persist.Config{Workers: persist.NoWorkers})
		keyed, other := persist.Define[string]("keyed"), persist.Define[string]("other")
		for _, row := range []struct {
			sentence string
			subs     []persist.Submission
			told     int
			count    uint64
			name     string
		}{
			{"of one type", []persist.Submission{keyed.New("a"), keyed.New("b")}, 1, 2, "keyed"},
			{"of nothing new", []persist.Submission{keyed.New("a"), keyed.New("b")}, 0, 0, ""},
			{"of one new job", []persist.Submission{other.New("a"), keyed.New("b")}, 1, 1, "other"},
			{"of two types", []persist.Submission{other.New("c"), keyed.New("d")}, 1, 2, ""},
		} {
			r.rec.Reset()
			_, err := r.SubmitAll(t.Context(), row.subs)
			isError(t, "submit", err, nil)
			synctest.Wait()
			same(t, row.sentence, r.told(events.BatchSubmitted), row.told)
			if row.told == 0 {
				continue
			}
			e := r.first(events.BatchSubmitted)
			name := ""
			if e.Job != nil {
				name = e.Job.Type
			}
			same(t, row.sentence+", count", e.Count, row.count)
			same(t, row.sentence+", type", name, row.name)
		}
	})
}

// A type that was renamed has one name in all events.
func TestEventsCallARenamedTypeByItsName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memstore.New()
		r := hang(t, persist.Config{Store: m, Workers: persist.NoWorkers})
		var ids []persist.ID
		for _, payload := range []string{`"a"`, `"b"`, `"c"`} {
			ids = append(ids, must(t)(r.Submit(t.Context(), persist.Raw("old", []byte(payload)))).ID)
		}
		isError(t, "stop", r.halt(), nil)
		s := newStage()
		renamed := persist.Define[string]("new", persist.WithAliases("old"), oneSecond)
		r = hang(t, persist.Config{Store: m, Handlers: []persist.Handler{renamed.Handle(s.act)}, Workers: 1})
		s.letGo(nil, "a")
		s.letGo(errOops, "b")
		isError(t, "cancel", r.Cancel(t.Context(), ids[2]), nil)
		elapse(time.Minute)
		must(t)(r.Submit(t.Context(), persist.Raw("old", []byte(`"d"`))))
		s.letAllGo()
		n := 0
		for _, e := range r.rec.Events() {
			if e.Job != nil {
				n++
				same(t, e.Kind.String(), e.Job.Type, "new")
			}
		}
		if n < 20 {
			t.Errorf("%d events about jobs", n)
		}
	})
}
