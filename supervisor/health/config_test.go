package health

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestWhatCannotBeUsedIsRefusedByName(t *testing.T) {
	app := supervisor.New(supervisor.Config{})
	for field, cfg := range map[string]Config{
		"Tolerate":    {Tolerate: -1},
		"Settle":      {Settle: -time.Second},
		"StuckAfter":  {StuckAfter: -1},
		"MaxProblems": {MaxProblems: -1},
	} {
		c, err := New(app, cfg)
		var bad *policy.FieldError
		if !errors.As(err, &bad) || bad.Field != field || !errors.Is(err, policy.ErrInvalid) || c != nil {
			t.Errorf("%s: New returns %v, %v", field, c, err)
		}
	}
	var none *supervisor.Supervisor
	for _, app := range []Source{nil, none} {
		var bad *policy.FieldError
		if _, err := New(app, Config{}); !errors.As(err, &bad) || bad.Field != "app" {
			t.Errorf("without an app New returns %v", err)
		}
	}
}

func TestZeroMeansTheDefaultAndWhatItCannotSayHasAName(t *testing.T) {
	zero := Config{Tolerate: DefaultTolerate, Settle: DefaultSettle, StuckAfter: DefaultStuckAfter, MaxProblems: DefaultMaxProblems}
	if got := (Config{}).resolved(); got != zero {
		t.Errorf("the zero Config means %+v", got)
	}
	if got := (Config{Tolerate: NoTolerance, Settle: NoSettle}).resolved(); got.Tolerate != 0 || got.Settle != 0 {
		t.Errorf("none means %v and %v", got.Tolerate, got.Settle)
	}
	if got := (Config{Tolerate: 2 * time.Second}).resolved().Tolerate; got != 2*time.Second {
		t.Errorf("2 s means %v", got)
	}
}

func TestLabelsComeBackFromTheirText(t *testing.T) {
	for _, s := range statuses.Values() {
		text, err := s.MarshalText()
		var back Status
		if err != nil || back.UnmarshalText(text) != nil || back != s || s.String() != string(text) {
			t.Errorf("status %d: %q, %v, back as %v", s, text, err, back)
		}
	}
	for _, s := range severities.Values() {
		text, err := s.MarshalText()
		var back Severity
		if err != nil || back.UnmarshalText(text) != nil || back != s || s.String() != string(text) {
			t.Errorf("severity %d: %q, %v, back as %v", s, text, err, back)
		}
	}
	if _, err := Status(0).MarshalText(); err == nil {
		t.Error("no status has a text")
	}
	if _, err := Severity(0).MarshalText(); err == nil {
		t.Error("no severity has a text")
	}
	if Status(0).OK() {
		t.Error("no status is OK")
	}
}

func TestEveryStateHasItsPlaceInTheOrder(t *testing.T) {
	for s := supervisor.StateStarting; s <= supervisor.StateFailed; s++ {
		n := 0
		for _, have := range badness {
			if have == s {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%v is there %d times", s, n)
		}
	}
}

func TestALongErrorIsCutBetweenTwoCharacters(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{"short", "short"},
		{strings.Repeat("x", MaxError), strings.Repeat("x", MaxError)},
		{strings.Repeat("x", MaxError+1), strings.Repeat("x", MaxError-3) + "..."},
		{strings.Repeat("é", MaxError), strings.Repeat("é", (MaxError-3)/2) + "..."},
		{strings.Repeat("\x80", 2*MaxError), "..."},
	} {
		if got := clip(row.text); got != row.want || len(got) > MaxError {
			t.Errorf("%.20q is cut to %d bytes, want %d", row.text, len(got), len(row.want))
		}
	}
}
