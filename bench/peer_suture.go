package main

import (
	"context"
	"errors"
	"math"
	"strconv"

	"github.com/thejerf/suture/v4"
)

const sutureConfig = "Tuned: `FailureThreshold` is infinite, so that it never backs off, and `EventHook` does nothing instead of logging " +
	"every failure. A service has a `String` method; without one, suture formats the whole service by reflection to name it. It is stopped by the " +
	"context of `Serve`. A one-shot service says when it runs and returns `ErrDoNotRestart`, for suture tells nobody that a service has ended: what " +
	"is awaited is its run, not its removal. It has no group restart."

type sutureHost struct {
	*suture.Supervisor
	cancel context.CancelFunc
	ended  <-chan error
}

func openSuture(together bool) (family, error) {
	if together {
		return nil, errNoNotion
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := suture.New("app", suture.Spec{
		FailureThreshold: math.Inf(1),
		EventHook:        func(suture.Event) {},
	})
	return &hosted{host: &sutureHost{Supervisor: s, cancel: cancel, ended: s.ServeBackground(ctx)}}, nil
}

// service is a body with a name.
type service struct {
	name string
	body body
}

func (s *service) Serve(ctx context.Context) error { return s.body(ctx) }
func (s *service) String() string                  { return s.name }

func (h *sutureHost) add(i int, b body) error {
	h.Add(&service{name: "child-" + strconv.Itoa(i), body: b})
	return nil
}

func (h *sutureHost) shot(name string) error {
	done := make(chan error, 1)
	h.Add(&service{name: name, body: func(ctx context.Context) error {
		done <- nothing(ctx)
		return suture.ErrDoNotRestart
	}})
	return <-done
}

func (h *sutureHost) stop() error {
	h.cancel()
	if err := <-h.ended; !errors.Is(err, context.Canceled) {
		return err
	}
	report, err := h.UnstoppedServiceReport()
	if err == nil && len(report) > 0 {
		err = errors.New("suture gave up waiting for its services")
	}
	return err
}
