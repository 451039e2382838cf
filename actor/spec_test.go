package actor_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
)

var nothing = actor.Func(func(context.Context) error { return nil })

// pointer is a task that cannot run without its value.
type pointer struct{ n int }

func (p *pointer) Run(context.Context) error { p.n++; return nil }

// picky is a task that checks itself.
type picky struct{ err error }

func (picky) Run(context.Context) error { return nil }
func (p picky) Validate() error         { return p.err }

func TestASpecIsRefusedForItsField(t *testing.T) {
	type spec = actor.Spec
	with := func(change func(*spec)) spec {
		s := spec{Name: "db", Task: nothing}
		change(&s)
		return s
	}
	for _, c := range []struct {
		says  string
		spec  spec
		field string
	}{
		{"a name is required", spec{Task: nothing}, "Name"},
		{"a name has a maximal length", with(func(s *spec) { s.Name = strings.Repeat("n", actor.MaxName+1) }), "Name"},
		{"a name has no slash", with(func(s *spec) { s.Name = "a/b" }), "Name"},
		{"a dot is reserved", with(func(s *spec) { s.Name = "." }), "Name"},
		{"two dots are reserved", with(func(s *spec) { s.Name = ".." }), "Name"},
		{"a star is reserved", with(func(s *spec) { s.Name = "*" }), "Name"},
		{"a name is valid UTF-8", with(func(s *spec) { s.Name = "a\xff" }), "Name"},
		{"a name has no line break", with(func(s *spec) { s.Name = "a\nb" }), "Name"},
		{"a name has no other control character", with(func(s *spec) { s.Name = "a\u0085b" }), "Name"},
		{"a name does not begin with space", with(func(s *spec) { s.Name = " a" }), "Name"},
		{"a name does not end with a wide space", with(func(s *spec) { s.Name = "a\u3000" }), "Name"},

		{"a task is required", spec{Name: "db"}, "Task"},
		{"a nil function is no task", with(func(s *spec) { s.Task = actor.Func(nil) }), "Task"},
		{"a nil pointer is no task", with(func(s *spec) { s.Task = (*pointer)(nil) }), "Task"},

		{"an unknown restart", with(func(s *spec) { s.Restart = 99 }), "Restart"},
		{"an unknown choice after giving up", with(func(s *spec) { s.OnGiveUp = 99 }), "OnGiveUp"},
		{"an unknown choice after a panic", with(func(s *spec) { s.OnPanic = 99 }), "OnPanic"},
		{"an unknown choice for the stuck", with(func(s *spec) { s.OnStuck = policy.StuckEscalate + 1 }), "OnStuck"},

		{"a negative number of retries", with(func(s *spec) { s.MaxRetries = -1 }), "MaxRetries"},
		{"retries of what is never restarted", with(func(s *spec) { s.Restart, s.MaxRetries = policy.Never, 3 }), "MaxRetries"},
		{"a backoff that shrinks", with(func(s *spec) { s.Backoff.Factor = 0.5 }), "Backoff.Factor"},
		{"a backoff without its factory", with(func(s *spec) { s.Backoff = policy.Custom(nil) }), "Backoff.Custom"},

		{"a negative pause", with(func(s *spec) { s.Restart, s.Every = policy.Always, -1 }), "Every"},
		{"a pause after a success that ends the task", with(func(s *spec) { s.Every = 1 }), "Every"},
		{"a pause after a success of what runs once", with(func(s *spec) { s.Restart, s.Every = policy.Never, 1 }), "Every"},
		{"a negative time to be healthy", with(func(s *spec) { s.ResetAfter = -1 }), "ResetAfter"},
		{"a negative timeout", with(func(s *spec) { s.Timeout = -time.Second }), "Timeout"},
		{"a negative stall", with(func(s *spec) { s.Stall = -1 }), "Stall"},
		{"a negative grace", with(func(s *spec) { s.Grace = -1 }), "Grace"},
		{"a negative time to start", with(func(s *spec) { s.AwaitReady, s.StartTimeout = true, -1 }), "StartTimeout"},
		{"a time to start of what need not say", with(func(s *spec) { s.StartTimeout = 1 }), "StartTimeout"},
		{"a significant task that never ends", with(func(s *spec) { s.Significant, s.Restart = true, policy.Always }), "Significant"},

		{"a task's own refusal comes through", with(func(s *spec) {
			s.Task = picky{&policy.FieldError{Field: "Addr", Value: "", Reason: "must not be empty"}}
		}), "Addr"},
	} {
		t.Run(c.says, func(t *testing.T) {
			err := c.spec.Validate()
			var refused *actor.SpecError
			var field *policy.FieldError
			if !errors.As(err, &refused) || !errors.As(err, &field) || !errors.Is(err, policy.ErrInvalid) {
				t.Fatalf("got %v", err)
			}
			if refused.Name != c.spec.Name || field.Field != c.field {
				t.Errorf("got %v, which names %q of %q", err, field.Field, refused.Name)
			}
		})
	}
}

func TestASpecIsAccepted(t *testing.T) {
	for says, s := range map[string]actor.Spec{
		"with name and task alone":        {Name: "db", Task: nothing},
		"with the longest name":           {Name: strings.Repeat("n", actor.MaxName), Task: nothing},
		"with a name in any script":       {Name: "データベース #1 (primary): ü", Task: nothing},
		"with dots in its name":           {Name: "...", Task: nothing},
		"with a task that is a pointer":   {Name: "db", Task: &pointer{}},
		"with a task that checks itself":  {Name: "db", Task: picky{}},
		"with an empty struct for a task": {Name: "db", Task: struct{ actor.Func }{nothing}},
		"with every named value": {
			Name: "db", Task: nothing, Restart: policy.Always, Every: policy.Forever, MaxRetries: policy.Unlimited,
			Backoff: policy.NoBackoff(), ResetAfter: policy.Forever, Timeout: policy.NoTimeout, Stall: policy.Forever,
			Grace: policy.Forever, AwaitReady: true, StartTimeout: policy.Forever,
			OnGiveUp: policy.GiveUpEscalate, OnPanic: policy.PanicCrash, OnStuck: policy.StuckEscalate, NoPermit: true,
		},
		"with no retry": {Name: "db", Task: nothing, MaxRetries: policy.NoRetry},
		"with no retry of what is never restarted": {Name: "db", Task: nothing, Restart: policy.Never, MaxRetries: policy.NoRetry},
		"with no grace":                      {Name: "db", Task: nothing, Grace: policy.NoGrace},
		"when it is significant and may end": {Name: "db", Task: nothing, Significant: true},
	} {
		t.Run(says, func(t *testing.T) {
			if err := s.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTheRefusalOfATaskIsKeptAsItIs(t *testing.T) {
	s := actor.Spec{Name: "db", Task: picky{errBoom}}
	err := s.Validate()
	if !errors.Is(err, errBoom) || !errors.Is(err, policy.ErrInvalid) {
		t.Errorf("got %v", err)
	}
	if got, want := err.Error(), `spec "db": boom`; got != want {
		t.Errorf("the text is %q, want %q", got, want)
	}
}

func TestValidateTaskLooksAtNameAndTaskAlone(t *testing.T) {
	for says, c := range map[string]struct {
		spec actor.Spec
		ok   bool
	}{
		"both are good":           {actor.Spec{Name: "db", Task: nothing}, true},
		"a setting is not":        {actor.Spec{Name: "db", Task: nothing, Grace: -1}, true},
		"the name is not":         {actor.Spec{Name: "a/b", Task: nothing}, false},
		"the task is not":         {actor.Spec{Name: "db"}, false},
		"the task refuses to run": {actor.Spec{Name: "db", Task: picky{errBoom}}, false},
	} {
		err := c.spec.ValidateTask()
		if (err == nil) != c.ok {
			t.Errorf("%s: got %v", says, err)
		}
		if err != nil && err.Error() != c.spec.Validate().Error() {
			t.Errorf("%s: %q, but Validate says %q", says, err, c.spec.Validate())
		}
	}
}

func TestCheckNameAgreesWithValidate(t *testing.T) {
	for _, name := range []string{"db", "", "a/b", ".", "a\xff", strings.Repeat("n", 999)} {
		s := actor.Spec{Name: name, Task: nothing}
		if byName, bySpec := actor.CheckName(name), s.Validate(); (byName == nil) != (bySpec == nil) {
			t.Errorf("%q: %v, but %v", name, byName, bySpec)
		} else if byName != nil && byName.Error() != bySpec.Error() {
			t.Errorf("%q: %q, but %q", name, byName, bySpec)
		}
	}
}

func TestTheRulesOfASpecAreItsOwn(t *testing.T) {
	s := actor.Spec{Restart: policy.Always, MaxRetries: 7, OnGiveUp: policy.GiveUpEscalate, OnPanic: policy.PanicCrash}
	want := policy.Rules{Restart: policy.Always, MaxRetries: 7, OnGiveUp: policy.GiveUpEscalate, OnPanic: policy.PanicCrash}
	if s.Rules() != want {
		t.Errorf("got %+v, want %+v", s.Rules(), want)
	}
}
