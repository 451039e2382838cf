package supervisor_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestTheSettingsOfAChildAreThoseItRunsWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := supervisor.New(supervisor.Config{
			Name:     "app",
			Defaults: supervisor.Defaults{Grace: 3 * time.Second, MaxRetries: 7},
		})
		spec := actor.Spec{Name: "db", Task: actor.Func(serve), Timeout: time.Minute}
		want := app.Resolve(spec)
		if want.Grace != 3*time.Second || want.MaxRetries != 7 || want.Timeout != time.Minute ||
			want.ResetAfter != policy.DefaultResetAfter || want.Name != "db" || want.Task == nil {
			t.Errorf("resolved: %+v", want)
		}
		if _, err := app.Settings("db"); !errors.Is(err, supervisor.ErrNotRunning) {
			t.Errorf("before Run: %v", err)
		}
		reopen(t, app)
		if _, err := app.Start(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
		got, err := app.Settings("/app/db")
		if err != nil || got.Grace != want.Grace || got.MaxRetries != want.MaxRetries || got.Timeout != want.Timeout || got.Name != "db" {
			t.Errorf("settings: %+v, %v", got, err)
		}
		if _, err := app.Settings("nobody"); !errors.Is(err, supervisor.ErrNotFound) {
			t.Errorf("of nobody: %v", err)
		}
	})
}

func TestTheConfigOfASupervisorIsACopy(t *testing.T) {
	app := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{{Name: "a", Task: actor.Func(serve)}}})
	app.Config().Children[0].Name = "b"
	if name := app.Config().Children[0].Name; name != "a" {
		t.Errorf("the child is called %q now", name)
	}
}
