package persist_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestExplainTellsWhereEachSettingComesFrom(t *testing.T) {
	domain := &persist.Domain{Name: "d", Defaults: []persist.Option{
		persist.WithGroup("of domain"), persist.WithTTL(time.Hour), persist.WithTag("who", "domain"), persist.WithTag("domain", "yes"),
	}}
	kind := persist.DefineIn[note](domain, "t", persist.WithTTLFromFirstAttempt(time.Minute), persist.WithTag("who", "type"), persist.WithTimeout(0))
	keyed := persist.DefineIn[note](domain, "keyed").KeyedBy(func(n note) string { return fmt.Sprint(n.N) })
	q := persist.New(persist.Config{
		Store: memstore.New(), Types: []persist.Known{kind, keyed},
		Defaults: []persist.Option{persist.WithGroup("of queue"), persist.WithMaxRetries(7), persist.WithTimeout(time.Second), persist.WithoutKey()},
	})
	explain := func(name string, opts ...persist.Option) map[string]string {
		t.Helper()
		list, err := q.Explain(name, opts...)
		if err != nil {
			t.Fatal(err)
		}
		m := map[string]string{}
		for _, s := range list {
			m[s.Name] = s.Value + " of " + s.From
		}
		return m
	}
	want := map[string]string{
		"priority": "normal of default", "group": "of domain of domain", "key": "none of queue", "label": " of default",
		"run_at": "at once of default", "ttl": "1m0s from first_attempt of type", "duplicates": "skip of default", "durability": "strict of default",
		"max_retries": "7 of queue", "timeout": "none of type", "stall": "none of default", "grace": "10s of default",
		"codec": "json of default", "tags": "[{domain yes} {who type}] of type", "aliases": "[] of default",
	}
	got := explain("d/t")
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %q, want %q", name, got[name], value)
		}
	}
	got = explain("d/t", persist.WithKey("k"), persist.WithPriority(3), persist.WithMaxRetries(policy.Unlimited), persist.WithDelay(time.Second))
	for name, value := range map[string]string{
		"key": "k of submission", "priority": "3 of submission", "max_retries": "unlimited of submission", "run_at": "after 1s of submission",
		"group": "of domain of domain",
	} {
		if got[name] != value {
			t.Errorf("of a submission %s is %q, want %q", name, got[name], value)
		}
	}
	if got := explain("d/keyed")["key"]; !strings.HasSuffix(got, "of type") || strings.Contains(got, "none") {
		t.Errorf("the key that a type makes is %q", got)
	}
	var typeErr *persist.TypeError
	if _, err := q.Explain("d/u"); !errors.Is(err, persist.ErrUnknownType) || !errors.As(err, &typeErr) || typeErr.Type != "d/u" {
		t.Errorf("error %v", err)
	}
	var field *policy.FieldError
	if _, err := q.Explain("d/t", persist.WithDelay(-1)); !errors.As(err, &typeErr) || !errors.As(err, &field) || field.Field != "Delay" {
		t.Errorf("error %v", err)
	}
}

func TestAJobHasTheSettingsOfTheNearestLayer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		domain := &persist.Domain{Name: "d", Defaults: []persist.Option{
			persist.WithGroup("domain"), persist.WithPriority(3), persist.WithTag("a", "domain"), persist.WithTag("b", "domain"),
		}}
		kind := persist.DefineIn[note](domain, "t", persist.WithPriority(4), persist.WithTag("b", "type"), persist.WithTag("c", "type"), persist.WithMaxRetries(4))
		h := start(t, persist.Config{Defaults: []persist.Option{
			persist.WithGroup("queue"), persist.WithPriority(2), persist.WithLabel("queue"), persist.WithTag("z", "queue"),
		}})
		batch := []persist.Option{persist.WithPriority(5), persist.WithTag("c", "batch"), persist.WithMaxRetries(5), persist.WithLabel("batch")}
		results, err := h.SubmitAll(t.Context(), []persist.Submission{
			kind.New(note{1}),
			kind.New(note{2}, persist.WithPriority(6), persist.WithTag("c", "call"), persist.WithLabel("")),
			noteType.New(note{3}),
		}, batch...)
		if err != nil {
			t.Fatal(err)
		}
		alone := must(t)(kind.Submit(t.Context(), h.Queue, note{4}))
		for i, want := range []struct {
			id                 persist.ID
			group, label, tags string
			priority           persist.Priority
			retries            int
		}{
			{results[0].ID, "domain", "batch", "[{a domain} {b type} {c batch} {z queue}]", 5, 5},
			{results[1].ID, "domain", "", "[{a domain} {b type} {c call} {z queue}]", 6, 5},
			{results[2].ID, "queue", "batch", "[{c batch} {z queue}]", 5, 5},
			{alone.ID, "domain", "queue", "[{a domain} {b type} {c type} {z queue}]", 4, 0},
		} {
			j, err := h.Job(t.Context(), want.id)
			if err != nil {
				t.Fatal(err)
			}
			if j.Group != want.group || j.Label != want.label || fmt.Sprint(j.Tags) != want.tags || j.Record.Priority != want.priority || j.Rules.MaxRetries != want.retries {
				t.Errorf("%d: %+v", i, j.Record)
			}
		}
	})
}

func TestTheFunctionOfATypeMakesItsKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kind := persist.Define[note]("keyed").KeyedBy(func(n note) string {
			switch n.N {
			case 0:
				return ""
			case 666:
				panic("no key")
			}
			return strings.Repeat("k", n.N)
		})
		h := start(t, persist.Config{Defaults: []persist.Option{persist.WithoutKey()}})
		submit := func(n int, opts ...persist.Option) (persist.Result, error) {
			return kind.Submit(t.Context(), h.Queue, note{n}, opts...)
		}
		for _, row := range []struct {
			n    int
			opts []persist.Option
			want persist.ResultKind
			key  string
		}{
			{1, nil, persist.Inserted, "k"},
			{1, nil, persist.Duplicate, "k"},
			{2, []persist.Option{persist.WithKey("k")}, persist.Duplicate, "k"},
			{2, []persist.Option{persist.WithKey("other")}, persist.Inserted, "other"},
			{1, []persist.Option{persist.WithoutKey()}, persist.Inserted, ""},
			{0, nil, persist.Inserted, ""},
			{0, nil, persist.Inserted, ""},
		} {
			r := must(t)(submit(row.n, row.opts...))
			if r.Kind != row.want {
				t.Errorf("%d: %+v, want %v", row.n, r, row.want)
			}
			if j, err := h.Job(t.Context(), r.ID); err != nil || j.Key != row.key || j.Digest.IsZero() != (row.key == "") {
				t.Errorf("%d: %+v, %v", row.n, j, err)
			}
		}
		var field *policy.FieldError
		if _, err := submit(persist.MaxKey + 1); !errors.As(err, &field) || field.Field != "Key" {
			t.Errorf("error %v", err)
		}
		var sub *persist.SubmissionError
		if _, err := submit(666); !errors.As(err, &sub) || !strings.Contains(err.Error(), "no key") {
			t.Errorf("error %v", err)
		}
	})
}

func TestTypesThatCannotBeAreRefused(t *testing.T) {
	fine := persist.Define[note]("fine")
	one, two := &persist.Domain{Name: "d"}, &persist.Domain{Name: "d"}
	run := func(context.Context, note) error { return nil }
	raw := func(context.Context, []byte) error { return nil }
	long := strings.Repeat("x", persist.MaxName+1)
	for _, row := range []struct {
		what  string
		cfg   persist.Config
		field string // of the FieldError, if there is to be one
		text  string // of the error
	}{
		{"an empty name", persist.Config{Types: []persist.Known{persist.Define[note]("")}}, "Name", "must not be empty"},
		{"a long name", persist.Config{Types: []persist.Known{persist.Define[note](long)}}, "Name", "MaxName"},
		{"a name with a slash", persist.Config{Types: []persist.Known{persist.Define[note]("a/b")}}, "Name", "'/'"},
		{"a name that is no text", persist.Config{Types: []persist.Known{persist.Define[note]("a\xff")}}, "Name", "UTF-8"},
		{"a name with a line", persist.Config{Types: []persist.Known{persist.Define[note]("a\nb")}}, "Name", "control"},
		{"a name that begins with space", persist.Config{Types: []persist.Known{persist.Define[note](" a")}}, "Name", "space"},
		{"a domain without a name", persist.Config{Types: []persist.Known{persist.DefineIn[note](&persist.Domain{}, "a")}}, "Domain", "must not be empty"},
		{"a domain with a slash", persist.Config{Types: []persist.Known{persist.DefineIn[note](&persist.Domain{Name: "a/b"}, "a")}}, "Domain", "'/'"},
		{"a domain with a negative limit", persist.Config{Types: []persist.Known{persist.DefineIn[note](&persist.Domain{Name: "a", Limit: -1}, "a")}}, "Domain.Limit", "negative"},
		{"a domain with a bad default", persist.Config{Types: []persist.Known{persist.DefineIn[note](&persist.Domain{Name: "a", Defaults: []persist.Option{persist.WithKey("k")}}, "a")}}, "Key", "cannot be said"},
		{"a bad setting", persist.Config{Types: []persist.Known{persist.Define[note]("a", persist.WithDelay(-1))}}, "Delay", "negative"},
		{"a type without one", persist.Config{Types: []persist.Known{nil}}, "Types[0]", "nil"},
		{"a nil type", persist.Config{Types: []persist.Known{fine, (*persist.Type[note])(nil)}}, "Types[1]", "nil"},
		{"one name twice", persist.Config{Types: []persist.Known{fine, persist.Define[string]("fine")}}, "", "is defined twice"},
		{"one name in two domains of one name", persist.Config{Types: []persist.Known{persist.DefineIn[note](one, "a"), persist.DefineIn[note](two, "b")}}, "", "two domains"},
		{"an alias that is a name", persist.Config{Types: []persist.Known{fine, persist.Define[note]("b", persist.WithAliases("fine"))}}, "Aliases", "is the name"},
		{"an alias of itself", persist.Config{Types: []persist.Known{persist.Define[note]("b", persist.WithAliases("b"))}}, "Aliases", "is the name"},
		{"an alias that is no name", persist.Config{Types: []persist.Known{persist.Define[note]("b", persist.WithAliases("a/b/c"))}}, "Aliases", "'/'"},
		{"a name that is an alias", persist.Config{Types: []persist.Known{persist.Define[note]("b", persist.WithAliases("a")), persist.Define[note]("a")}}, "", "is defined twice"},
		{"no handler", persist.Config{Handlers: []persist.Handler{{}}}, "Handler", "is none"},
		{"a handler that is nil", persist.Config{Handlers: []persist.Handler{fine.Handle(nil)}}, "Handler", "nil"},
		{"a raw handler that is nil", persist.Config{Handlers: []persist.Handler{persist.HandleRaw("fine", nil)}}, "Handler", "nil"},
		{"a raw handler without a type", persist.Config{Handlers: []persist.Handler{persist.HandleRaw("", raw)}}, "Handler", ""},
		{"a raw handler of no name", persist.Config{Handlers: []persist.Handler{persist.HandleRaw("a/", raw)}}, "Handler", "must not be empty"},
		{"two handlers", persist.Config{Handlers: []persist.Handler{fine.Handle(run), fine.Handle(run)}}, "", "has a handler already"},
		{"two handlers, one of them raw", persist.Config{Handlers: []persist.Handler{fine.Handle(run), persist.HandleRaw("fine", raw)}}, "", "has a handler already"},
		{"a bad default", persist.Config{Defaults: []persist.Option{persist.WithKey("k")}}, "Key", "cannot be said"},
		{"nothing in the way of an option", persist.Config{Defaults: []persist.Option{nil}}, "Option", "nil"},
	} {
		row.cfg.Store = memstore.New()
		q := persist.New(row.cfg)
		err := q.Validate()
		var field *policy.FieldError
		var config *supervisor.ConfigError
		switch {
		case !errors.As(err, &config):
			t.Errorf("%s: error %v", row.what, err)
		case !strings.Contains(err.Error(), row.text):
			t.Errorf("%s: error %v, want one with %q", row.what, err, row.text)
		case errors.As(err, &field) != (row.field != "") || field != nil && field.Field != row.field:
			t.Errorf("%s: error %v, want field %q", row.what, err, row.field)
		}
		if err == nil {
			continue
		}
		if _, err := fine.Submit(t.Context(), q, note{}); !errors.As(err, &config) {
			t.Errorf("%s: submit: %v", row.what, err)
		}
		if err := q.Run(t.Context()); !errors.As(err, &config) {
			t.Errorf("%s: run: %v", row.what, err)
		}
	}
}

func TestTheDefaultDomainHasNoName(t *testing.T) {
	domain := &persist.Domain{Name: "d"}
	types := []persist.Known{persist.Define[note]("a"), persist.DefineIn[note](nil, "b"), persist.DefineIn[note](domain, "a")}
	q := persist.New(persist.Config{Store: memstore.New(), Types: types})
	if err := q.Validate(); err != nil {
		t.Fatal(err)
	}
	if got := q.Types(); !slices.Equal(got, []string{"a", "b", "d/a"}) {
		t.Errorf("types %v", got)
	}
}

// lines is a codec of one's own: it stores numbers as text, and fails on some.
type lines struct{ name string }

func (l lines) Name() string { return l.name }

func (lines) Marshal(v any) ([]byte, error) {
	switch n := v.(note).N; n {
	case 13:
		return nil, errThirteen
	case 666:
		panic("the devil")
	default:
		return fmt.Appendf(nil, "n=%d", n), nil
	}
}

func (lines) Unmarshal(data []byte, v any) error {
	if _, err := fmt.Sscanf(string(data), "n=%d", &v.(*note).N); err != nil {
		return errThirteen
	}
	return nil
}

var errThirteen = errors.New("unlucky")

func TestACodecOfOnesOwnIsUsedBothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kind := persist.Define[note]("lines", persist.WithCodec(lines{"lines"}), once)
		var got []note
		h := start(t, persist.Config{Handlers: []persist.Handler{kind.Handle(func(_ context.Context, n note) error {
			got = append(got, n)
			return nil
		})}})
		j := h.ended(must(t)(kind.Submit(t.Context(), h.Queue, note{7})).ID, persist.Completed)
		if string(j.Payload) != "n=7" || len(got) != 1 || got[0].N != 7 {
			t.Errorf("payload %q, input %v", j.Payload, got)
		}
		for _, n := range []int{13, 666} {
			_, err := kind.Submit(t.Context(), h.Queue, note{n})
			var sub *persist.SubmissionError
			var payload *persist.PayloadError
			if !errors.As(err, &sub) || sub.Index != 0 || sub.Type != "lines" || !errors.As(err, &payload) || errors.Is(err, persist.ErrTooLarge) {
				t.Errorf("%d: error %v", n, err)
			}
			if n == 13 && !errors.Is(err, errThirteen) || n == 666 && !strings.Contains(err.Error(), "the devil") {
				t.Errorf("%d: error %v", n, err)
			}
		}
		// What cannot be decoded is not tried again.
		r := must(t)(h.Submit(t.Context(), persist.Raw("lines", []byte("nonsense"), persist.WithMaxRetries(5))))
		if j := h.ended(r.ID, persist.Failed); j.Attempts != 1 || !strings.Contains(j.Last.Text, "unlucky") {
			t.Errorf("%+v", j.State)
		}
	})
}

func TestWhatHasNoTypeHereIsStoredAndWaitsForAHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, persist.Config{Workers: 1})
		payload := []byte("bytes")
		r := must(t)(h.Submit(t.Context(), persist.Raw("tools/x", payload, persist.WithTag("a", "b"))))
		copy(payload, "spoil")
		must(t)(h.Submit(t.Context(), persist.Raw("tools/x", nil)))
		must(t)(noteType.Submit(t.Context(), h.Queue, note{1})) // a type that was not told of before
		synctest.Wait()
		w, err := h.Why(t.Context(), r.ID)
		if err != nil || w.Reason != persist.WaitsForHandler || w.Of != "tools/x" {
			t.Errorf("%+v, %v", w, err)
		}
		if n := h.count(events.JobTypeUnknown); n != 2 {
			t.Errorf("%d events, want one for each of 2 types", n)
		}
		var got [][]byte
		err = h.Handle(persist.HandleRaw("tools/x", func(_ context.Context, payload []byte) error {
			got = append(got, payload)
			return nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		h.ended(r.ID, persist.Completed)
		h.ended(r.ID+1, persist.Completed)
		if len(got) != 2 || string(got[0]) != "bytes" || len(got[1]) != 0 {
			t.Errorf("%q", got)
		}
		if got, want := h.Types(), []string{"note", "tools/x"}; !slices.Equal(got, want) {
			t.Errorf("types %v", got)
		}
		// The type comes later still, but has no handler of its own.
		var typeErr *persist.TypeError
		if err := h.Handle(persist.HandleRaw("tools/x", func(context.Context, []byte) error { return nil })); !errors.As(err, &typeErr) || typeErr.Type != "tools/x" {
			t.Errorf("error %v", err)
		}
		if err := h.Handle(noteType.Handle(func(context.Context, note) error { return nil })); err != nil {
			t.Error(err)
		}
		h.ended(3, persist.Completed)
	})
}

func TestRawSubmissionsHaveTheSettingsOfWhatIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		domain := &persist.Domain{Name: "d", Defaults: []persist.Option{persist.WithGroup("domain")}}
		kind := persist.DefineIn[note](domain, "t", persist.WithPriority(persist.High)).KeyedBy(func(note) string { return "k" })
		h := start(t, persist.Config{Types: []persist.Known{kind}})
		later := persist.WithDelay(time.Hour)
		for _, row := range []struct {
			s        persist.Submission
			group    string
			priority persist.Priority
			key      string
		}{
			{kind.New(note{1}, later), "domain", persist.High, "k"},
			{persist.Raw("d/t", []byte(`{"N":1}`), later), "domain", persist.High, ""},
			{persist.Raw("d/other", nil, later), "domain", persist.Normal, ""},
			{persist.Raw("other", nil, later), "", persist.Normal, ""},
		} {
			r := must(t)(h.Submit(t.Context(), row.s))
			j, err := h.Job(t.Context(), r.ID)
			if r.Kind != persist.Inserted || err != nil || j.Group != row.group || j.State.Priority != row.priority || j.Key != row.key || j.Digest.IsZero() {
				t.Errorf("%v: %+v, %v", r, j, err)
			}
		}
	})
}

func TestUnknownTypesAreReportedOncePerRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memstore.New()
		h := start(t, persist.Config{Store: m})
		for i := range 5 {
			must(t)(noteType.Submit(t.Context(), h.Queue, note{i}))
		}
		if n := h.count(events.JobTypeUnknown); n != 1 {
			t.Errorf("%d events", n)
		}
		if err := h.stop(); err != nil {
			t.Error(err)
		}
		h = start(t, persist.Config{Store: m})
		if n := h.count(events.JobTypeUnknown); n != 1 {
			t.Errorf("%d events in the next run", n)
		}
		for _, e := range h.rec.Events() {
			if e.Kind == events.JobTypeUnknown && (e.Job.Type != "note" || e.Count != 5) {
				t.Errorf("%+v %+v", e, e.Job)
			}
		}
	})
}

func TestJobsUnderAnOldNameAreFound(t *testing.T) {
	run := func(got *[]int) func(context.Context, note) error {
		return func(_ context.Context, n note) error { *got = append(*got, n.N); return nil }
	}
	for _, when := range []string{"at the start", "late", "late, while they are submitted"} {
		t.Run(when, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := memstore.New()
				h := start(t, persist.Config{Store: m, Workers: 1})
				for i := range 3 {
					must(t)(h.Submit(t.Context(), persist.Raw("old/note", fmt.Appendf(nil, `{"N":%d}`, i))))
				}
				must(t)(h.Submit(t.Context(), persist.Raw("old/note", []byte(`{"N":3}`), persist.WithDelay(time.Hour))))
				var got []int
				kind := persist.DefineIn[note](&persist.Domain{Name: "new"}, "note", persist.WithAliases("old/note"))
				cfg := persist.Config{Store: m, Workers: 1}
				if when == "at the start" {
					cfg.Handlers = []persist.Handler{kind.Handle(run(&got))}
				}
				if when != "late, while they are submitted" {
					if err := h.stop(); err != nil {
						t.Fatal(err)
					}
					h = start(t, cfg)
				}
				last := persist.ID(4)
				switch when {
				case "late":
					if err := h.Handle(kind.Handle(run(&got))); err != nil {
						t.Fatal(err)
					}
				case "late, while they are submitted":
					g := hold(m)
					c := make(chan answer, 2)
					for i := range 2 {
						go func() {
							r, err := h.Submit(t.Context(), persist.Raw("old/note", fmt.Appendf(nil, `{"N":%d}`, i+4)))
							c <- answer{r, err}
						}()
						synctest.Wait()
						if i == 0 {
							g.arrive()
						}
					}
					if err := h.Handle(kind.Handle(run(&got))); err != nil {
						t.Fatal(err)
					}
					g.end(nil)
					for range 2 {
						if a := <-c; a.err != nil {
							t.Error(a.err)
						}
					}
					last = 6
				}
				for id := range last {
					h.ended(id+1, persist.Completed)
				}
				slices.Sort(got)
				if len(got) != int(last) || got[last-1] != int(last)-1 {
					t.Errorf("inputs %v", got)
				}
				if got := h.Types(); !slices.Equal(got, []string{"new/note"}) {
					t.Errorf("types %v", got)
				}
				if c := h.Counts(); c[persist.Ready]+c[persist.Delayed]+c[persist.Running] != 0 {
					t.Errorf("%v", c)
				}
				n := 0
				for _, e := range h.rec.Events() {
					if e.Kind == events.JobTypeUnknown && e.Job.Type != "old/note" {
						n++
					}
				}
				if n != 0 {
					t.Errorf("the new name was told to be unknown")
				}
				// It can be submitted under both names, and that is one type.
				r := must(t)(h.Submit(t.Context(), persist.Raw("old/note", []byte(`{"N":9}`), persist.WithDelay(time.Hour))))
				if again := must(t)(kind.Submit(t.Context(), h.Queue, note{9})); again.Kind != persist.Duplicate || again.ID != r.ID {
					t.Errorf("under the new name: %+v", again)
				}
			})
		})
	}
}

// The limits of two domains stay right when a job that runs changes its domain.
func TestAnAliasThatIsLearntWhileAJobRunsTakesItsPlaceAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		h := start(t, persist.Config{Handlers: []persist.Handler{persist.HandleRaw("old/note", func(context.Context, []byte) error {
			<-release
			return nil
		})}})
		r := must(t)(h.Submit(t.Context(), persist.Raw("old/note", []byte("1"))))
		synctest.Wait()
		most, on := 0, 0
		domain := &persist.Domain{Name: "new", Limit: 1}
		kind := persist.DefineIn[int](domain, "note", persist.WithAliases("old/note"))
		err := h.Handle(kind.Handle(func(context.Context, int) error {
			on++
			most = max(most, on)
			time.Sleep(time.Second)
			on--
			return nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		close(release)
		h.ended(r.ID, persist.Completed)
		var last persist.ID
		for i := range 4 {
			last = must(t)(kind.Submit(t.Context(), h.Queue, i+10)).ID
		}
		h.ended(last, persist.Completed)
		if most != 1 {
			t.Errorf("%d ran at a time, in a domain for 1", most)
		}
	})
}

func TestSubmissionsThatCannotBeStoreNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, persist.Config{MaxPayload: 10})
		long := func(n int) string { return strings.Repeat("x", n+1) }
		bad := persist.Define[note]("")
		for _, row := range []struct {
			what  string
			s     persist.Submission
			field string
		}{
			{"nothing", persist.Submission{}, "Type"},
			{"a raw one without a type", persist.Raw("", nil), "Type"},
			{"a raw one of a bad type", persist.Raw("a/b/c", nil), "Type"},
			{"a type that is bad", bad.New(note{}), "Name"},
			{"a key that is too long", noteType.New(note{}, persist.WithKey(long(persist.MaxKey))), "Key"},
			{"a group that is too long", noteType.New(note{}, persist.WithGroup(long(persist.MaxName))), "Group"},
			{"a label that is too long", noteType.New(note{}, persist.WithLabel(long(persist.MaxLabel))), "Label"},
			{"a tag that is too long", noteType.New(note{}, persist.WithTag(long(persist.MaxTagKey), "")), "Tag"},
			{"a payload that is too large", noteType.New(note{1_000_000}), ""},
			{"a raw payload that is too large", persist.Raw("x", make([]byte, 11)), ""},
			{"what cannot be encoded", persist.Define[func()]("f").New(func() {}), ""},
		} {
			before := must(t)(noteType.Submit(t.Context(), h.Queue, note{1}, persist.WithoutKey()))
			for at := range 3 {
				subs := []persist.Submission{noteType.New(note{2}, persist.WithoutKey()), noteType.New(note{3}, persist.WithoutKey())}
				results, err := h.SubmitAll(t.Context(), slices.Insert(subs, at, row.s))
				var sub *persist.SubmissionError
				var field *policy.FieldError
				var payload *persist.PayloadError
				switch {
				case !errors.As(err, &sub) || sub.Index != at:
					t.Errorf("%s: error %v, want one of submission %d", row.what, err, at)
				case row.field != "" && (!errors.As(err, &field) || field.Field != row.field):
					t.Errorf("%s: error %v, want one of the field %s", row.what, err, row.field)
				case row.field == "" && !errors.As(err, &payload):
					t.Errorf("%s: error %v", row.what, err)
				case payload != nil && payload.Err == nil && (payload.Size <= 10 || payload.Limit != 10 || !errors.Is(err, persist.ErrTooLarge)):
					t.Errorf("%s: error %v", row.what, err)
				}
				if slices.ContainsFunc(results, func(r persist.Result) bool { return r != persist.Result{} }) {
					t.Errorf("%s: %+v", row.what, results)
				}
			}
			after := must(t)(noteType.Submit(t.Context(), h.Queue, note{1}, persist.WithoutKey()))
			if after.ID != before.ID+1 {
				t.Errorf("%s: something was stored", row.what)
			}
		}
		if r := must(t)(h.Submit(t.Context(), persist.Raw("x", make([]byte, 10)))); r.Kind != persist.Inserted {
			t.Errorf("as much as may be: %+v", r)
		}
		// A batch cannot have what one submission has.
		var field *policy.FieldError
		if _, err := noteType.SubmitAll(t.Context(), h.Queue, []note{{1}}, persist.WithKey("k")); !errors.As(err, &field) || field.Field != "Key" {
			t.Errorf("a key of a batch: %v", err)
		}
		if results, err := h.SubmitAll(t.Context(), nil); results != nil || err != nil {
			t.Errorf("nothing at all: %v, %v", results, err)
		}
	})
}

func TestTheDefaultLimitOfPayloadsIsAConstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, persist.Config{})
		must(t)(h.Submit(t.Context(), persist.Raw("x", make([]byte, persist.MaxPayload))))
		if _, err := h.Submit(t.Context(), persist.Raw("x", make([]byte, persist.MaxPayload+1))); !errors.Is(err, persist.ErrTooLarge) {
			t.Errorf("error %v", err)
		}
	})
}

type voice interface{ Say() string }

type says string

func (s says) Say() string { return string(s) }

func TestHandlersFindTheStateOfTheirDomainAndThenOfTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		domain := &persist.Domain{Name: "d", State: []any{says("domain"), 1}}
		in, out := persist.DefineIn[note](domain, "in"), persist.Define[note]("out")
		got := map[string]string{}
		look := func(name string) func(context.Context, note) error {
			return func(ctx context.Context, n note) error {
				v, ok := persist.StateOf[voice](ctx)
				i, _ := persist.StateOf[int](ctx)
				f, late := persist.StateOf[float64](ctx)
				text := ""
				if ok {
					text = v.Say()
				}
				got[fmt.Sprint(name, n.N)] = fmt.Sprint(text, i, f, late)
				return nil
			}
		}
		h := start(t, persist.Config{State: []any{2, says("queue"), says("second")}, Handlers: []persist.Handler{in.Handle(look("in")), out.Handle(look("out"))}})
		run := func(n int) {
			h.ended(must(t)(in.Submit(t.Context(), h.Queue, note{n})).ID, persist.Completed)
			h.ended(must(t)(out.Submit(t.Context(), h.Queue, note{n})).ID, persist.Completed)
		}
		run(1)
		h.Provide(2.5)
		h.Provide(3)
		run(2)
		want := map[string]string{
			"in1": "domain1 0 false", "out1": "queue2 0 false", "in2": "domain1 2.5 true", "out2": "queue2 2.5 true",
		}
		if !maps.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		if _, ok := persist.StateOf[int](t.Context()); ok {
			t.Error("there is state without a job")
		}
	})
}

func TestMiddlewareIsAroundEachAttemptTheFirstOutermost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log []string
		around := func(name string) persist.Middleware {
			return func(ctx context.Context, job *persist.Job, next func(context.Context) error) error {
				log = append(log, fmt.Sprint(name, " ", job.ID, " ", string(job.Payload)))
				err := next(context.WithValue(ctx, name, "was here")) //nolint:staticcheck // a test may
				log = append(log, fmt.Sprint(name, " ", err))
				if name == "outer" && err != nil && job.Failures == 0 {
					return actor.RetryAfter(err, time.Minute)
				}
				return nil
			}
		}
		inner := func(ctx context.Context, job *persist.Job, next func(context.Context) error) error {
			return next(ctx)
		}
		began := time.Now()
		h := start(t, persist.Config{
			Middleware: []persist.Middleware{around("outer"), inner},
			Handlers: []persist.Handler{noteType.Handle(func(ctx context.Context, n note) error {
				log = append(log, fmt.Sprint("run ", ctx.Value("outer")))
				return errors.New("oops")
			})},
		})
		j := h.ended(must(t)(noteType.Submit(t.Context(), h.Queue, note{5})).ID, persist.Completed)
		if took := j.End.At.Sub(began); took != time.Minute || j.Attempts != 2 {
			t.Errorf("after %v and %d attempts", took, j.Attempts)
		}
		want := []string{`outer 1 {"N":5}`, "run was here", "outer oops", `outer 1 {"N":5}`, "run was here", "outer oops"}
		if !slices.Equal(log, want) {
			t.Errorf("%q", log)
		}
	})
}

func TestAnAttemptKnowsItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var buf bytes.Buffer
		kind := persist.DefineIn[note](&persist.Domain{Name: "d"}, "t", persist.WithMaxRetries(1), persist.WithBackoff(policy.Constant(time.Second)))
		var h *harness
		n := 0
		cfg := persist.Config{
			Handlers: []persist.Handler{kind.Handle(func(ctx context.Context, in note) error {
				n++
				a, ok := persist.FromContext(ctx)
				if !ok || a.Number() != n || a.Last() != (n == 2) || a.Queue() != h.Queue {
					t.Errorf("attempt %d: %v, number %d, last %v", n, ok, a.Number(), a.Last())
				}
				if j := a.Job(); j.ID != 1 || j.Key != "k" || string(j.Payload) != `{"N":3}` || j.Failures != n-1 {
					t.Errorf("attempt %d: %+v", n, j)
				}
				persist.Logger(ctx).Info("hello")
				persist.Progress(ctx, 0.5, "half")
				synctest.Wait()
				if act := h.Active(); len(act) != 1 || act[0].Progress != 0.5 || act[0].Message != "half" || act[0].Key != "k" {
					t.Errorf("%+v", act)
				}
				return errors.New("oops")
			})},
		}
		cfg.Supervisor.Logger = slog.New(slog.NewJSONHandler(&buf, nil))
		h = start(t, cfg)
		h.ended(must(t)(kind.Submit(t.Context(), h.Queue, note{3}, persist.WithKey("k"), persist.WithTag("a", "b"))).ID, persist.DeadLetter)
		line, _, _ := strings.Cut(buf.String(), "\n")
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatal(err, buf.String())
		}
		if fields["job"] != 1.0 || fields["job_type"] != "d/t" || fields["job_attempt"] != 1.0 || fields["job_key"] != "k" {
			t.Errorf("%v", fields)
		}
		if _, ok := persist.FromContext(t.Context()); ok {
			t.Error("there is an attempt without a job")
		}
		persist.Progress(t.Context(), 1, "nothing")

		// Each event of the attempts says whose they are.
		synctest.Wait()
		seen := map[events.Kind]int{}
		for _, e := range h.rec.Events() {
			if e.Job == nil {
				continue
			}
			seen[e.Kind]++
			if e.Job.ID != 1 || e.Job.Type != "d/t" || e.Job.Domain != "d" {
				t.Errorf("%v: %+v", e.Kind, e.Job)
			}
			switch e.Kind {
			case events.JobSubmitted, events.JobStarted, events.JobProgressed, events.JobRetryScheduled, events.JobDeadLettered:
				if e.Job.Key != "k" || len(e.Job.Tags) != 1 {
					t.Errorf("%v: %+v", e.Kind, e.Job)
				}
			}
		}
		for k, want := range map[events.Kind]int{
			events.JobSubmitted: 1, events.JobStarted: 2, events.JobProgressed: 2, events.JobRetryScheduled: 1, events.JobDeadLettered: 1,
		} {
			if seen[k] != want {
				t.Errorf("%d of %v, want %d", seen[k], k, want)
			}
		}
	})
}
