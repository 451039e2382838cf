package controller_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/policy"
)

func TestASubmissionWithoutANameIsCalledByItsNumber(t *testing.T) {
	bubble(t, controller.Config{Width: 2}, func(t *testing.T, s *stand) {
		spec := actor.Spec{Task: actor.Func(serve), Restart: policy.Never}
		first := s.put(controller.Submission{Key: "k", Spec: spec})
		second := s.put(controller.Submission{Key: "k", Spec: spec})
		for _, h := range []*actor.Handle{first, second} {
			equal(t, "path", h.Path(), fmt.Sprintf("/desk/%d", h.ID()))
			equal(t, "name", h.Name(), fmt.Sprint(h.ID()))
			wantFate(t, h, "")
		}
	})
}

func TestATreeSaysHowManyWait(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		for i := range 4 {
			s.queue("k", fmt.Sprint(i), serve)
		}
		equal(t, "queued", s.Head().Tree().Queued, 3)
		if text := s.Head().Tree().String(); !strings.Contains(text, "3 waiting for their key") {
			t.Error(text)
		}
		s.close()
		report := s.Head().StopReport()
		equal(t, "rejected", report.Rejected, 3)
		if text := report.String(); !strings.Contains(text, "3 that waited were rejected") {
			t.Error(text)
		}
	})
}
