package actor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestAContextTellsWhoseItIs(t *testing.T) {
	bubble(t, supervisor.Config{Name: "app"}, func(t *testing.T, app *supervisor.Supervisor) {
		var got []actor.Info
		h := start(t, app, actor.Spec{Name: "db", Task: actor.Func(func(ctx context.Context) error {
			derived, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			info, ok := actor.FromContext(derived)
			if !ok {
				t.Error("a derived context does not tell")
			}
			if got = append(got, info); len(got) < 3 {
				return errBoom
			}
			return nil
		})})
		wait(t, h)
		for i, info := range got {
			want := actor.Info{ID: h.ID(), Path: "/app/db", Pattern: "/app/*", Name: "db", Attempt: i + 1, Generation: 1}
			if info != want {
				t.Errorf("got %+v, want %+v", info, want)
			}
		}
	})
}

func TestAContextOfATaskBelowTellsOfThatTask(t *testing.T) {
	found := make(chan string, 1)
	below := supervisor.New(supervisor.Config{Children: []actor.Spec{{
		Name: "leaf", Restart: policy.Never,
		Task: actor.Func(func(ctx context.Context) error {
			info, _ := actor.FromContext(ctx)
			found <- info.Path
			return nil
		}),
	}}})
	bubble(t, supervisor.Config{Name: "app", Children: []actor.Spec{below.Spec("below")}},
		func(t *testing.T, _ *supervisor.Supervisor) {
			if path := <-found; path != "/app/below/leaf" {
				t.Errorf("got %q", path)
			}
		})
}

func TestAForeignContextTellsNothing(t *testing.T) {
	if info, ok := actor.FromContext(t.Context()); ok || info != (actor.Info{}) {
		t.Errorf("got %+v", info)
	}
	if actor.Current(t.Context()) != nil {
		t.Error("it has an attempt")
	}
}

func TestTheLoggerOfATaskSaysWho(t *testing.T) {
	var text bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&text, nil)).With("service", "shop")
	bubble(t, supervisor.Config{Name: "app", Logger: logger}, func(t *testing.T, app *supervisor.Supervisor) {
		n := 0
		h := start(t, app, actor.Spec{Name: "db", Task: actor.Func(func(ctx context.Context) error {
			if n++; n == 1 {
				return errBoom
			}
			actor.Logger(context.WithValue(ctx, insideKey{}, 1)).Info("up", "port", 80)
			return nil
		})})
		wait(t, h)

		var line map[string]any
		if err := json.Unmarshal(text.Bytes(), &line); err != nil {
			t.Fatalf("%q: %v", text.String(), err)
		}
		for key, want := range map[string]any{
			"service": "shop", "msg": "up", "port": 80.0,
			"path": "/app/db", "id": float64(h.ID()), "attempt": 2.0,
		} {
			if line[key] != want {
				t.Errorf("%s is %v, want %v", key, line[key], want)
			}
		}
	})
}

func TestATaskMayLogElsewhere(t *testing.T) {
	var supervisors, own bytes.Buffer
	bubble(t, supervisor.Config{Logger: slog.New(slog.NewTextHandler(&supervisors, nil))},
		func(t *testing.T, app *supervisor.Supervisor) {
			wait(t, start(t, app, actor.Spec{Task: actor.Func(func(ctx context.Context) error {
				ctx = actor.WithLogger(ctx, slog.New(slog.NewTextHandler(&own, nil)))
				actor.Logger(ctx).Info("hello")
				return nil
			})}))
		})
	if supervisors.Len() != 0 || !bytes.Contains(own.Bytes(), []byte("path=/task")) {
		t.Errorf("the supervisor's got %q, its own %q", supervisors.String(), own.String())
	}
}

func TestOutsideOfATaskTheLoggerCarriesNothing(t *testing.T) {
	if got := actor.Logger(t.Context()); got != slog.Default() {
		t.Error("without a logger it is not slog.Default")
	}
	own := slog.New(slog.DiscardHandler)
	if got := actor.Logger(actor.WithLogger(t.Context(), own)); got != own {
		t.Error("with a logger it is not that one")
	}
}
