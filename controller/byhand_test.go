package controller_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/supervisor"
)

// An owner that ends already was told by somebody else than the controller: that it is
// told once more makes no room for the replacement, and is no replacement.
func TestAReplacementPassesOverAnOwnerThatWasToldByHand(t *testing.T) {
	bubble(t, controller.Config{Width: 2}, func(t *testing.T, s *stand) {
		a := s.queue("k", "a", slow(5*time.Second))
		b := s.queue("k", "b", serve)
		go func() { _ = s.Head().Stop(context.Background(), "a") }()
		pass(0)
		s.replace("k", "r", serve)
		wantFate(t, b, "stopped replaced") // "the oldest owner that was not told yet"
		s.wantSlot("k", "a:stopping r |")
		pass(5 * time.Second)
		wantFate(t, a, "stopped stopped")
		s.close()
		wantCounts(t, s)
	})
}

func TestTheCountOfReplacedOwnersLeavesOutOneThatWasToldByHand(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		a := s.queue("k", "a", slow(5*time.Second))
		go func() { _ = s.Head().Stop(context.Background(), "a") }()
		pass(0)
		s.replace("k", "r", serve)
		pass(5 * time.Second)
		wantFate(t, a, "stopped stopped")
		s.wantSlot("k", "r |")
		s.close()
		wantCounts(t, s)
	})
}

// A key may hold dots and slashes, so it cannot be made part of a path by cleaning it.
func TestAnErrorAboutAKeyNamesTheController(t *testing.T) {
	c := controller.New(controller.Config{Name: "desk"})
	for _, key := range []string{"k", "..", "../../etc", "a//b"} {
		err := as[*supervisor.ChildError](t, c.Stop(context.Background(), key))
		if !strings.HasPrefix(err.Path, "/desk/") || !strings.HasSuffix(err.Path, key) {
			t.Errorf("%q: %v", key, err)
		}
	}
}
