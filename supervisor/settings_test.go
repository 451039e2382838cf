package supervisor

import (
	"context"
	"reflect"
	"testing"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
)

// Whoever adds a field to Spec has to compare it too: else one child would run under
// the settings of another.
func TestSettingsAreSharedOnlyWhenEveryFieldIsTheSame(t *testing.T) {
	task := actor.Func(func(context.Context) error { return nil })
	set := new(Defaults).resolve(actor.Spec{Name: "a", Task: task})
	if !set.fits(&actor.Spec{Name: "b", Task: task}) {
		t.Error("settings that are the same are not shared")
	}
	for field := range reflect.TypeFor[actor.Spec]().Fields() {
		spec := actor.Spec{Name: "b", Task: task}
		switch v := reflect.ValueOf(&spec).Elem().FieldByIndex(field.Index); {
		case field.Name == "Name" || field.Name == "Task":
			continue
		case v.Kind() == reflect.Bool:
			v.SetBool(true)
		case v.CanInt():
			v.SetInt(1)
		case v.CanUint():
			v.SetUint(1)
		case field.Name == "Backoff":
			spec.Backoff = policy.NoBackoff()
		default:
			t.Errorf("%s: this test does not know how to change a %v", field.Name, v.Kind())
		}
		if set.fits(&spec) {
			t.Errorf("settings are shared although %s differs", field.Name)
		}
	}
}
