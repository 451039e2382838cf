package supervisortest

import (
	"errors"
	"log/slog"
	"strings"

	"github.com/taskvisor/taskvisor/events"
)

// AssertOrder fails the test unless events like these were recorded in this order, with
// any others between them. See Await for what it means to be like one.
func (tree *Tree) AssertOrder(wants ...events.Event) {
	tree.t.Helper()
	tree.Settle()
	if n := inOrder(tree.Events.Events(), wants); n < len(wants) {
		after := ""
		if n > 0 {
			after = " after " + describe(wants[n-1])
		}
		tree.t.Errorf("there is no %s%s\n%s", describe(wants[n]), after, tree.report())
	}
}

// AssertNever fails the test if an event like that was recorded.
func (tree *Tree) AssertNever(unwanted events.Event) {
	tree.t.Helper()
	tree.Settle()
	for _, e := range tree.Events.Events() {
		if isLike(unwanted, e) {
			tree.t.Errorf("there should be no %s, but there is %v\n%s", describe(unwanted), e, tree.report())
			return
		}
	}
}

// inOrder returns how many of wants are found in their order.
func inOrder(seen, wants []events.Event) (n int) {
	for _, e := range seen {
		if n < len(wants) && isLike(wants[n], e) {
			n++
		}
	}
	return n
}

// isLike says that e has what want says.
func isLike(want, e events.Event) bool {
	return is(want.Kind, e.Kind) && is(want.Path, e.Path) &&
		is(want.Exit, e.Exit) && is(want.Outcome, e.Outcome) && is(want.Reason, e.Reason) &&
		is(want.Attempt, e.Attempt) && is(want.Generation, e.Generation) &&
		is(want.ID, e.ID) && is(want.Key, e.Key) && is(want.Pattern, e.Pattern) && is(want.Subscriber, e.Subscriber) &&
		is(want.Delay, e.Delay) && is(want.Elapsed, e.Elapsed) &&
		is(want.Count, e.Count) && is(want.Seq, e.Seq) &&
		(want.At.IsZero() || want.At.Equal(e.At)) &&
		(want.Err == nil || errors.Is(e.Err, want.Err))
}

// is says that a field says nothing, or the same.
func is[T comparable](want, got T) bool {
	var nothing T
	return want == nothing || want == got
}

// describe says in one line what is wanted: unlike the String of an event, it leaves out
// every zero.
func describe(want events.Event) string {
	var words []string
	for _, field := range want.LogValue().Group() {
		said := field.Value.String()
		switch {
		case field.Key == "kind" && want.Kind == 0:
			words = append(words, "event")
		case field.Key == "kind", field.Key == "path":
			words = append(words, said)
		case field.Value.Kind() == slog.KindDuration && field.Value.Duration() == 0:
		default:
			words = append(words, field.Key+"="+said)
		}
	}
	return strings.Join(words, " ")
}
