package persist_test

import (
	"testing"
	"testing/synctest"

	"github.com/taskvisor/taskvisor/persist"
)

func TestTheFunctionOfATypeNamesItsGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		typ := persist.Define[string]("grouped").GroupedBy(func(in string) string {
			if in == "panic" {
				panic("no")
			}
			return in
		})
		h := start(t, persist.Config{})
		for _, row := range []struct {
			in   string
			opts []persist.Option
			want string
		}{
			{"a", nil, "a"},
			{"", nil, ""},
			{"b", []persist.Option{persist.WithGroup("said")}, "said"},
			{"c", []persist.Option{persist.WithGroup("")}, ""},
		} {
			r := must(t)(typ.Submit(t.Context(), h.Queue, row.in, row.opts...))
			j, err := h.Job(t.Context(), r.ID)
			if err != nil || j.Group != row.want {
				t.Errorf("%q: group %q, %v", row.in, j.Group, err)
			}
		}
		if _, err := typ.Submit(t.Context(), h.Queue, "panic"); err == nil {
			t.Error("a function that panics is an error")
		}
	})
}

func TestAPriorityIsReadByItsNameOrNumber(t *testing.T) {
	for p := range 256 {
		got, err := persist.ParsePriority(persist.Priority(p).String())
		if err != nil || got != persist.Priority(p) {
			t.Errorf("%d: %v, %v", p, got, err)
		}
	}
	for _, text := range []string{"", "urgent", "-1", "256", "High"} {
		if p, err := persist.ParsePriority(text); err == nil {
			t.Errorf("%q is %v", text, p)
		}
	}
}
