package main

import (
	"context"
	"strconv"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

const taskvisorConfig = "The zero `supervisor.Config` with a name. Children are added with `Start`, one after the other, named, with " +
	"`Restart: policy.Always` and `policy.NoBackoff()`; everything else is the default. No intensity, no bus, no subscriber, unless the line says so."

// supervised is a supervisor that runs.
type supervised struct {
	*supervisor.Supervisor
	cancel context.CancelFunc
	ended  chan error
}

func openTaskvisor(together bool) (family, error) {
	cfg := supervisor.Config{Name: "app"}
	if together {
		cfg.Strategy = supervisor.OneForAll
	}
	s, err := supervise(cfg)
	return &hosted{host: s}, err
}

// supervise runs a supervisor and returns when it takes children.
func supervise(cfg supervisor.Config) (*supervised, error) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &supervised{Supervisor: supervisor.New(cfg), cancel: cancel, ended: make(chan error, 1)}
	go func() { s.ended <- s.Run(ctx) }()
	return s, s.WaitReady(ctx)
}

func (s *supervised) add(i int, b body) error {
	_, err := s.Start(context.Background(), actor.Spec{
		Name: "child-" + strconv.Itoa(i), Task: actor.Func(b), Restart: policy.Always, Backoff: policy.NoBackoff(),
	})
	return err
}

var doNothing = actor.Func(nothing)

func (s *supervised) shot(name string) error {
	h, err := s.Start(context.Background(), actor.Spec{Name: name, Task: doNothing, Restart: policy.Never})
	if err != nil {
		return err
	}
	return awaitShot(h)
}

// awaitShot returns when a task has ended, with its error.
func awaitShot(h *actor.Handle) error {
	out, err := h.Wait(context.Background())
	if err != nil {
		return err
	}
	return out.Err
}

func (s *supervised) stop() error {
	s.cancel()
	return <-s.ended
}
