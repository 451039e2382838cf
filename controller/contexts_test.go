package controller_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/supervisor"
)

// late is a context that ends in the instant in which somebody begins to wait for it, and
// something else happens then.
type late struct {
	context.Context
	act func()
}

func (l late) Done() <-chan struct{} {
	l.act()
	over := make(chan struct{})
	close(over)
	return over
}

func TestRoomThatComesTogetherWithTheEndOfTheContextIsTaken(t *testing.T) {
	bubble(t, controller.Config{Capacity: 1}, func(t *testing.T, s *stand) {
		for i := range 50 { // which of both is seen first is a matter of chance
			key := fmt.Sprint("k", i)
			s.queue(key, fmt.Sprint("o", i), serve)
			first := s.queue(key, fmt.Sprint("f", i), serve)
			ctx := late{context.Background(), func() { _ = s.Cancel(context.Background(), first.ID()) }}
			h, err := s.Submit(ctx, submission(controller.Queue, key, fmt.Sprint("p", i), serve))
			if err != nil {
				t.Fatalf("%d: %v", i, err)
			}
			wantFate(t, h, "")
			equal(t, "purged", s.Purge(key), 1)
		}
	})
}

// nosy is a context whose values are looked up by asking somebody else.
type nosy struct {
	context.Context
	look func()
}

func (n nosy) Value(key any) any {
	n.look()
	return n.Context.Value(key)
}

func TestTheContextOfACallerIsAskedWithoutTheLock(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		one, two := s.queue("k", "one", serve), s.queue("l", "two", serve)
		ctx := nosy{context.Background(), func() { s.Slot("k") }}
		if err := s.Cancel(ctx, one.ID()); err != nil { // or hangs
			t.Error(err)
		}
		if err := s.Stop(ctx, "l"); err != nil {
			t.Error(err)
		}
		wantFate(t, two, "stopped stopped")
	})
}

func TestNobodyMakesWayForAReplacementThatCannotRun(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		s.queue("other", "twin", serve)
		owner, head := s.queue("k", "owner", serve), s.queue("k", "head", serve)
		wantFate(t, s.replace("k", "twin", serve), "rejected duplicate_name")
		wantFate(t, owner, "")
		wantFate(t, head, "")
		s.wantSlot("k", "owner | head")
	})
}

// find returns the listing of a task.
func find(s *stand, name string) (supervisor.Node, bool) {
	for _, n := range s.Head().Children() {
		if n.Name == name {
			return n, true
		}
	}
	return supervisor.Node{}, false
}

func TestTheOldestOwnerIsFoundAmongThoseThatWereToldInAnyOrder(t *testing.T) {
	bubble(t, controller.Config{Width: 4}, func(t *testing.T, s *stand) {
		for _, name := range []string{"a", "b", "c", "d"} {
			s.queue("k", name, slow(time.Minute))
		}
		told := func(want string) {
			t.Helper()
			for _, h := range s.all[:4] {
				node, _ := find(s, h.Name())
				if is := node.State.String(); (is == "stopping") != strings.Contains(want, h.Name()) {
					t.Errorf("%s is %s, want %q told", h.Name(), is, want)
				}
			}
		}
		go func() { _ = s.Head().Stop(context.Background(), "b") }()
		pass(0)
		s.replace("k", "r1", serve)
		told("ab")
		s.replace("k", "r2", serve)
		told("abc")
		s.replace("k", "r3", serve)
		told("abcd")
		s.replace("k", "r4", serve) // nobody is left
		pass(time.Minute)
		s.wantSlot("k", "r4 |")
		s.queue("k", "e", serve)
		s.queue("k", "f", serve)
		s.queue("k", "g", serve)
		wantFate(t, s.all[7], "")
		s.replace("k", "r5", serve)
		wantFate(t, s.all[7], "stopped replaced")
	})
}
