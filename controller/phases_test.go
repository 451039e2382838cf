package controller_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/policy"
)

// phase is what all owners of a slot do when a submission comes.
type phase struct {
	name  string
	task  func(gate chan struct{}) actor.Func
	after func(s *stand, owners []*actor.Handle) // brings them there
	told  bool                                   // they were told to end before
}

var phases = []phase{
	{name: "running", task: func(chan struct{}) actor.Func { return serve }},
	{
		name: "backing off",
		task: func(chan struct{}) actor.Func { return func(context.Context) error { return errBoom } },
	},
	{
		name: "cancelled", task: deaf, told: true,
		after: func(s *stand, owners []*actor.Handle) { cancelAll(s, owners) },
	},
	{
		name: "stuck", task: deaf, told: true,
		after: func(s *stand, owners []*actor.Handle) {
			cancelAll(s, owners)
			pass(time.Minute)
		},
	},
}

func deaf(gate chan struct{}) actor.Func { return until(gate) }

// cancelAll tells the owners to end, and does not wait for that.
func cancelAll(s *stand, owners []*actor.Handle) {
	for _, h := range owners {
		go func() { _ = s.Cancel(context.Background(), h.ID()) }()
	}
	pass(0)
}

// fill gives a slot as many owners as it has places.
func fill(s *stand, p *phase, width int, gate chan struct{}) (owners []*actor.Handle) {
	for i := range width {
		sub := submission(controller.Queue, "k", fmt.Sprintf("o%d", i), p.task(gate))
		sub.Spec.OnStuck = policy.StuckWait
		if p.name == "backing off" {
			sub.Spec.Restart, sub.Spec.Backoff = policy.OnFailure, policy.Constant(forAges)
		}
		owners = append(owners, s.put(sub))
	}
	if p.after != nil {
		p.after(s, owners)
	}
	return owners
}

// queueOf returns who waits for the key of these tests.
func queueOf(s *stand) string {
	_, waiting, _ := strings.Cut(s.slot("k"), "|")
	return strings.TrimSpace(waiting)
}

func TestASubmissionIsTreatedAlikeInEveryPhaseOfAFullSlot(t *testing.T) {
	for _, p := range phases {
		for width := 1; width <= 2; width++ {
			for _, waiting := range []int{0, 2} {
				t.Run(fmt.Sprintf("%s/width %d/%d wait", p.name, width, waiting), func(t *testing.T) {
					bubble(t, controller.Config{Width: width}, func(t *testing.T, s *stand) {
						gate := make(chan struct{})
						owners := fill(s, &p, width, gate)
						var queue []*actor.Handle
						for i := range waiting {
							queue = append(queue, s.queue("k", fmt.Sprintf("w%d", i), serve))
						}
						checkFullSlot(t, s, &p, owners, queue)
						close(gate)
					})
				})
			}
		}
	}
}

func checkFullSlot(t *testing.T, s *stand, p *phase, owners, queue []*actor.Handle) {
	before := queueOf(s)
	wantFate(t, s.drop("k", "dropped", serve), "rejected busy")
	equal(t, "after a drop", queueOf(s), before)

	q := s.queue("k", "queued", serve)
	equal(t, "after a queue", queueOf(s), strings.TrimSpace(before+" queued"))
	wantFate(t, q, "")

	// The head goes, wherever it came from, and the rest stays as it was.
	r := s.replace("k", "replacement", serve)
	head := q
	rest := ""
	if len(queue) > 0 {
		head, rest = queue[0], " w1 queued"
	}
	wantFate(t, head, "rejected superseded")
	wantFate(t, r, "")
	if p.told {
		equal(t, "after a replace", queueOf(s), "replacement"+rest)
		return
	}

	// The oldest owner ends at once in these phases, and the head follows it.
	wantFate(t, owners[0], "stopped replaced")
	equal(t, "after a replace", queueOf(s), strings.TrimSpace(rest))
	for _, h := range owners[1:] {
		wantFate(t, h, "")
	}
}

func TestASubmissionThatFindsAFreePlaceRunsWhateverItsAdmission(t *testing.T) {
	for _, p := range append([]phase{{name: "idle"}}, phases...) {
		for _, width := range []int{2, policy.Unlimited} {
			for a := controller.Queue; a <= controller.DropIfRunning; a++ {
				t.Run(fmt.Sprintf("%s/width %d/%v", p.name, width, a), func(t *testing.T) {
					bubble(t, controller.Config{Width: width, Depth: controller.NoQueue}, func(t *testing.T, s *stand) {
						gate := make(chan struct{})
						var owners []*actor.Handle
						if p.name != "idle" {
							owners = fill(s, &p, 1, gate)
						}
						h := s.put(submission(a, "k", "next", serve))
						wantFate(t, h, "")
						slot, _ := s.Slot("k")
						if n := len(slot.Owners); n != len(owners)+1 || slot.Owners[n-1].ID != h.ID() || len(slot.Queue) > 0 {
							t.Errorf("it does not run: %s", show(slot))
						}
						for _, o := range owners {
							wantFate(t, o, "")
						}
						close(gate)
					})
				})
			}
		}
	}
}

func TestAnIdleSlotIsForgotten(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		for i := range 200 { // more than are kept to be used again
			wantFate(t, s.queue(fmt.Sprint(i), fmt.Sprintf("n%d", i), once), "completed")
		}
		equal(t, "slots", len(s.Snapshot().Slots), 0)
		s.queue("again", "x", serve)
		s.wantSlot("again", "x |")
	})
}
