package main

import (
	"fmt"
	"time"

	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/supervisor"
)

func measureSubmit(_ peer, size scale) (figures, error) {
	s, err := supervise(supervisor.Config{Name: "app"})
	if err != nil {
		return nil, err
	}
	c, err := control(controller.Config{Name: "app"})
	if err != nil {
		return nil, err
	}
	const turns = 10
	way := func(figure string, shot func(string) error) way {
		return func() (figures, error) {
			before, begin := mallocs(), time.Now()
			n, err := shots(shot, "job", begin.Add(size.spell/turns))
			took := time.Since(begin)
			return figures{
				figure:             float64(took.Nanoseconds()) / float64(n),
				figure + "-allocs": whole(mallocs()-before, int(n)),
			}, err
		}
	}
	got, err := inTurn(turns, way("submit", c.shot), way("start", s.shot))
	if err != nil {
		return nil, err
	}
	if err := c.stop(); err != nil {
		return nil, err
	}
	return got, s.stop()
}

func measureDecisions(_ peer, size scale) (figures, error) {
	const turns = 4
	size.spell /= turns
	return inTurn(
		turns,
		func() (figures, error) { return decisions(size, shallow, "-100") },
		func() (figures, error) { return decisions(size, size.many, "-100k") },
	)
}

// decisions measures all three admissions while so many wait.
func decisions(size scale, depth int, suffix string) (figures, error) {
	c, err := boundless()
	if err != nil {
		return nil, err
	}
	release, err := c.occupy("slot")
	if err != nil {
		return nil, err
	}
	sub := oneShot("job", "slot")
	if _, err := c.submitted(nil, depth, sub); err != nil {
		return nil, err
	}
	got := figures{}
	ids := make([]events.ID, 0, burst)
	for a := controller.Queue; a <= controller.DropIfRunning; a++ {
		sub.Admission = a
		took, err := timed(size.spell, burst, func() (time.Duration, error) {
			begin := time.Now()
			ids, err = c.submitted(ids[:0], burst, sub)
			took := time.Since(begin)
			if err == nil && a == controller.Queue {
				err = c.withdraw(ids)
			}
			return took, err
		})
		if err != nil {
			return nil, err
		}
		got[a.String()+suffix] = micros(took)
	}
	return got, c.leave(release, depth)
}

// leave stops a controller for which an owner has waited for its release, and so many
// submissions for the owner.
func (c *controlled) leave(release func() error, waiting int) error {
	if n := c.Purge("slot"); n != waiting {
		return fmt.Errorf("%d submissions waited at the end, not %d", n, waiting)
	}
	if err := release(); err != nil {
		return err
	}
	return c.stop()
}
