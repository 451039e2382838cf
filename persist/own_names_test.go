package persist_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
	"github.com/taskvisor/taskvisor/policy"
)

func TestAHandlerThatIsRefusedIsAnErrorOfItsType(t *testing.T) {
	raw := func(context.Context, []byte) error { return nil }
	long := strings.Repeat("x", persist.MaxName+1)
	q := persist.New(persist.Config{Store: memstore.New()})
	for _, row := range []struct {
		what string
		h    persist.Handler
		name string
	}{
		{"none", persist.Handler{}, ""},
		{"one without a type", persist.HandleRaw("", raw), ""},
		{"one without anything", persist.HandleRaw("", nil), ""},
		{"one without a function", persist.HandleRaw("x", nil), "x"},
		{"one of a type without a function", chore.Handle(nil), "chore"},
		{"one of no name", persist.HandleRaw("x/y/z", raw), "x/y/z"},
		{"one of a name that is too long", persist.HandleRaw(long, raw), long},
	} {
		err := q.Handle(row.h)
		var of *persist.TypeError
		var field *policy.FieldError
		if !errors.As(err, &of) || of.Type != row.name || !errors.As(err, &field) || field.Field != "Handler" {
			t.Errorf("%s: error %v", row.what, err)
		}
	}
}

func TestALimitThatIsSetBeforeItsDomainIsKnownCounts(t *testing.T) {
	for _, row := range []struct {
		what string
		set  []int
		want string
	}{
		{"nothing is set", nil, "a"},
		{"none is set", []int{0}, "a b c"},
		{"another is set", []int{2}, "a b"},
		{"the last counts", []int{2, 0}, "a b c"},
	} {
		t.Run(row.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				kind := persist.DefineIn[string](&persist.Domain{Name: "d", Limit: 1}, "x", persist.WithoutKey())
				r := hang(t, persist.Config{})
				for _, n := range row.set {
					isError(t, "set", r.SetDomainLimit("d", n), nil)
				}
				isError(t, "handle", r.Handle(kind.Handle(s.act)), nil)
				for _, in := range []string{"a", "b", "c"} {
					must(t)(kind.Submit(t.Context(), r.Queue, in))
				}
				same(t, "inside", s.now(), row.want)
				s.letAllGo()
			})
		})
	}
}

func TestALimitIsOfADomainThatThereMayBe(t *testing.T) {
	q := persist.New(persist.Config{Store: memstore.New()})
	for _, row := range []struct {
		name  string
		n     int
		field string
	}{
		{"d", 1, ""},
		{"", 1, ""}, // the default domain
		{"", 0, ""},
		{"d", policy.Unlimited, ""},
		{"d", -1, "Domain.Limit"},
		{"no/such", 1, "Domain"},
		{"d\x00", 1, "Domain"},
		{" d", 1, "Domain"},
		{"\xff", 1, "Domain"},
		{strings.Repeat("x", persist.MaxName+1), 1, "Domain"},
	} {
		var field *policy.FieldError
		if err := q.SetDomainLimit(row.name, row.n); errors.As(err, &field) != (row.field != "") || field != nil && field.Field != row.field {
			t.Errorf("%q, %d: error %v, want one of %q", row.name, row.n, err, row.field)
		}
	}
}

// past lists the inputs of jobs that have ended, page by page.
func (r *rig) past(query persist.PastQuery) (pages []string) {
	r.t.Helper()
	for {
		list, err := r.Past(r.t.Context(), query)
		if err != nil {
			r.t.Fatal(err)
		}
		if len(list) == 0 {
			return pages
		}
		page := make([]string, len(list))
		for i, j := range list {
			page[i] = fmt.Sprint(j.ID)
		}
		pages = append(pages, strings.Join(page, " "))
		query.Before = list[len(list)-1].End.Seq
	}
}

func TestThePastOfATypeIsAlsoThatOfItsAliases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := memstore.New()
		ran := func(_ context.Context, in string) error {
			if in == "bad" {
				return persist.Cancel(errOops)
			}
			return nil
		}
		types := map[string]*persist.Type[string]{}
		var handlers []persist.Handler
		for _, name := range []string{"old", "older", "new", "other"} {
			types[name] = persist.Define[string](name, persist.WithoutKey())
			handlers = append(handlers, types[name].Handle(ran))
		}
		r := hang(t, persist.Config{Store: mem, Handlers: handlers})
		for _, job := range []string{"old a", "new b", "other c", "older bad", "old e", "other f", "new bad", "older h"} {
			name, in, _ := strings.Cut(job, " ")
			r.wait(must(t)(types[name].Submit(t.Context(), r.Queue, in)).ID)
		}
		isError(t, "stop", r.halt(), nil)

		kind := persist.Define[string]("new", persist.WithAliases("old", "older", "old"))
		r = hang(t, persist.Config{Store: mem, Types: []persist.Known{kind, types["other"]}})
		for _, row := range []struct {
			what  string
			query persist.PastQuery
			want  []string
		}{
			{"all of it", persist.PastQuery{Type: "new"}, []string{"8 7 5 4 2 1"}},
			{"page by page", persist.PastQuery{Type: "new", Limit: 2}, []string{"8 7", "5 4", "2 1"}},
			{"pages that do not come out even", persist.PastQuery{Type: "new", Limit: 4}, []string{"8 7 5 4", "2 1"}},
			{"one by one", persist.PastQuery{Type: "new", Limit: 1}, []string{"8", "7", "5", "4", "2", "1"}},
			{"from before an end on", persist.PastQuery{Type: "new", Before: 5, Limit: 2}, []string{"4 2", "1"}},
			{"from before an end that is to come", persist.PastQuery{Type: "new", Before: 1000}, []string{"8 7 5 4 2 1"}},
			{"those of one ending", persist.PastQuery{Type: "new", Kinds: []persist.Ending{persist.Cancelled}, Limit: 1}, []string{"7", "4"}},
			{"those that were stored under an alias", persist.PastQuery{Type: "old"}, []string{"5 1"}},
			{"another type", persist.PastQuery{Type: "other"}, []string{"6 3"}},
			{"a type that is not known", persist.PastQuery{Type: "none"}, nil},
			{"all types", persist.PastQuery{Limit: 5}, []string{"8 7 6 5 4", "3 2 1"}},
		} {
			if got := r.past(row.query); !slices.Equal(got, row.want) {
				t.Errorf("%s: %q, want %q", row.what, got, row.want)
			}
		}
	})
}

func TestATypeWithAliasesAndWithoutAPastHasNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kind := persist.Define[string]("new", persist.WithAliases("old"))
		r := hang(t, persist.Config{Types: []persist.Known{kind}})
		same(t, "pages", len(r.past(persist.PastQuery{Type: "new"})), 0)
	})
}

// busyStore has a job end whenever its past is asked for.
type busyStore struct {
	persist.Backend
	between func(asked string)
}

func (b busyStore) Open(ctx context.Context) (persist.Store, error) {
	s, err := b.Backend.Open(ctx)
	return busyPast{s, b}, err
}

type busyPast struct {
	persist.Store
	busyStore
}

func (s busyPast) Past(ctx context.Context, q persist.PastQuery) ([]*persist.Job, error) {
	list, err := s.Store.Past(ctx, q)
	s.between(q.Type)
	return list, err
}

func TestNoEndIsPassedOverWhileJobsOfATypeWithAliasesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := memstore.New()
		old := persist.Define[string]("old", persist.WithoutKey())
		kind := persist.Define[string]("new", persist.WithoutKey())
		end := func() {}
		asks := 0
		store := busyStore{mem, func(string) { asks++; end() }}
		r := hang(t, persist.Config{Store: mem, Workers: persist.NoWorkers})
		for range 20 {
			must(t)(old.Submit(t.Context(), r.Queue, "x"))
			must(t)(kind.Submit(t.Context(), r.Queue, "x"))
		}
		isError(t, "stop", r.halt(), nil)
		r = hang(t, persist.Config{Store: store, Workers: persist.NoWorkers, Types: []persist.Known{
			persist.Define[string]("new", persist.WithoutKey(), persist.WithAliases("old")),
		}})
		next := persist.ID(1)
		cancel := func() { // one of each
			for range 2 {
				isError(t, "cancel", r.Cancel(t.Context(), next), nil)
				next++
			}
		}
		cancel()
		cancel()
		end = cancel
		list, err := r.Past(t.Context(), persist.PastQuery{Type: "new", Limit: 3})
		isError(t, "first page", err, nil)
		end = func() {}
		rest, err := r.Past(t.Context(), persist.PastQuery{Type: "new", Before: list[len(list)-1].End.Seq})
		isError(t, "rest", err, nil)
		if asks < 4 {
			t.Errorf("the store was asked %d times", asks)
		}
		list = append(list, rest...)
		for i, j := range list {
			if want := list[0].End.Seq - uint64(i); j.End.Seq != want {
				t.Errorf("%d: end %d, want %d", i, j.End.Seq, want)
			}
		}
		same(t, "the last of all", list[len(list)-1].End.Seq, 1)
	})
}
