package controller_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestAConfigThatCannotBeUsedIsRefused(t *testing.T) {
	child := actor.Spec{Name: "x", Task: actor.Func(serve)}
	for field, cfg := range map[string]controller.Config{
		"Width":                 {Width: -1},
		"Depth":                 {Depth: -1},
		"Capacity":              {Capacity: -1},
		"TTL":                   {TTL: -1},
		"Workers.Name":          {Name: "a", Workers: supervisor.Config{Name: "b"}},
		"Workers.Children":      {Workers: supervisor.Config{Children: []actor.Spec{child}}},
		"Workers.Strategy":      {Workers: supervisor.Config{Strategy: supervisor.OneForAll}},
		"Workers.Limit":         {Workers: supervisor.Config{Limit: 1}},
		"Workers.AutoShutdown":  {Workers: supervisor.Config{AutoShutdown: supervisor.AutoShutdownAll}},
		"Workers.EndWhenEmpty":  {Workers: supervisor.Config{EndWhenEmpty: true}},
		"Concurrency":           {Workers: supervisor.Config{Concurrency: -1}},
		"Intensity.Restarts":    {Workers: supervisor.Config{Intensity: policy.Intensity{Restarts: -1, Within: 1}}},
		"Name":                  {Name: "a/b"},
		"Workers.Strategy ":     {Workers: supervisor.Config{Strategy: 99}},
		"Workers.AutoShutdown ": {Workers: supervisor.Config{AutoShutdown: 99}},
		"Capacity ":             {Capacity: math.MinInt},
		"Width ":                {Width: math.MinInt},
	} {
		t.Run(field, func(t *testing.T) {
			c := controller.New(cfg)
			for what, err := range map[string]error{"Validate": c.Validate(), "Run": c.Run(context.Background())} {
				if !errors.Is(err, policy.ErrInvalid) {
					t.Errorf("%s: %v", what, err)
				}
				as[*supervisor.ConfigError](t, err)
				if got := as[*policy.FieldError](t, err); got.Field != strings.TrimSpace(field) || got.Reason == "" {
					t.Errorf("%s refuses %q: %v", what, got.Field, got)
				}
			}
			fatal := as[*actor.FatalError](t, c.Run(context.Background())) // a retry would not mend it
			if !strings.HasPrefix(fatal.Error(), "supervisor") {
				t.Error(fatal)
			}
		})
	}
}

func TestAConfigMayBeEmptyOrAsLargeAsCanBe(t *testing.T) {
	for name, cfg := range map[string]controller.Config{
		"zero": {},
		"large": {
			Width: policy.Unlimited, Depth: policy.Unlimited, Capacity: policy.Unlimited, TTL: policy.Forever,
			Name: "n", Workers: supervisor.Config{Name: "n", Concurrency: policy.Unlimited},
		},
		"no queue": {Depth: controller.NoQueue},
	} {
		if err := controller.New(cfg).Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestASubmissionThatCannotBeUsedIsRefused(t *testing.T) {
	ok := actor.Spec{Name: "x", Task: actor.Func(serve)}
	for field, sub := range map[string]controller.Submission{
		"Admission":  {Spec: ok, Admission: controller.DropIfRunning + 1},
		"TTL":        {Spec: ok, TTL: -1},
		"Key":        {Spec: ok, Key: strings.Repeat("k", controller.MaxKey+1)},
		"Name":       {Spec: actor.Spec{Name: "a/b", Task: ok.Task}, Key: "k"},
		"Key ":       {Spec: actor.Spec{Task: ok.Task}}, // neither name nor key
		"Task":       {Spec: actor.Spec{Name: "x"}},
		"Timeout":    {Spec: actor.Spec{Name: "x", Task: ok.Task, Timeout: -1}},
		"Restart":    {Spec: actor.Spec{Name: "x", Task: ok.Task, Restart: 99}},
		"MaxRetries": {Spec: actor.Spec{Name: "x", Task: ok.Task, MaxRetries: -1}},
	} {
		t.Run(field, func(t *testing.T) {
			bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
				h, submitted := s.Submit(context.Background(), sub)
				ticket, prepared := s.Prepare(sub)
				if h != nil || ticket != nil {
					t.Errorf("%v, %v", h, ticket)
				}
				for _, err := range []error{submitted, prepared} {
					if !errors.Is(err, policy.ErrInvalid) {
						t.Error(err)
					}
					as[*actor.SpecError](t, err)
					equal(t, "field", as[*policy.FieldError](t, err).Field, strings.TrimSpace(field))
				}
				equal(t, "submitted", figures(t, s.Controller)["controller_submissions_total desk queue"], 0)
			})
		})
	}
}

func TestAKeyMayBeAnythingThatIsNotTooLong(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		for _, key := range []string{"../..", "a/b", "\x00\xff", " ", "#7", strings.Repeat("k", controller.MaxKey)} {
			s.queue(key, "x", serve)
			s.wantSlot(key, "x |")
			if err := s.Stop(context.Background(), key); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestAWidthThatCannotBeUsedIsRefusedAndChangesNothing(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		s.setWidth("k", 2)
		equal(t, "field", as[*policy.FieldError](t, s.SetWidth("k", -1)).Field, "Width")
		equal(t, "field", as[*policy.FieldError](t, s.SetWidth(strings.Repeat("k", controller.MaxKey+1), 1)).Field, "Key")
		s.queue("k", "a", serve)
		s.queue("k", "b", serve)
		s.wantSlot("k", "a b |")
	})
}

func TestWhoWaitsForAControllerThatCannotRunIsTold(t *testing.T) {
	c := controller.New(controller.Config{Width: -3})
	if err := c.WaitReady(context.Background()); as[*policy.FieldError](t, err).Field != "Width" {
		t.Error(err)
	}
}

func TestAZeroControllerIsRefused(t *testing.T) {
	c, ctx := new(controller.Controller), context.Background()
	_, submitErr := c.Submit(ctx, controller.Submission{Spec: actor.Spec{Name: "x", Task: actor.Func(serve)}})
	for what, err := range map[string]error{
		"Validate": c.Validate(), "Run": c.Run(ctx), "Submit": submitErr,
		"WaitReady": c.WaitReady(ctx), "a zero ticket": new(controller.Ticket).Submit(ctx),
		"above": supervisor.New(supervisor.Config{Children: []actor.Spec{c.Spec("c")}}).Run(ctx),
	} {
		if err == nil {
			t.Errorf("%s is nil", what)
		}
	}
	if n, snap := c.Purge("k"), c.Snapshot(); n != 0 || len(snap.Slots) != 0 {
		t.Errorf("there are %d and %+v", n, snap)
	}
}
