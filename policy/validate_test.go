package policy

import (
	"math"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v4"
)

func custom() Backoff {
	return Custom(func() backoff.BackOff { return &backoff.ZeroBackOff{} })
}

func TestBackoffValidate(t *testing.T) {
	const s = time.Second
	beside := func(change func(*Backoff)) Backoff {
		b := custom()
		change(&b)
		return b
	}
	for _, c := range []struct {
		says    string
		backoff Backoff
		field   string
	}{
		{"zero is fine", Backoff{}, ""},
		{"the constructors are fine with zeros", Exponential(0, 0), ""},
		{"a linear of zeros is fine", Linear(0, 0, 0), ""},
		{"a constant of zero is no backoff", Constant(0), ""},
		{"no backoff is fine", NoBackoff(), ""},
		{"jitter of no delay is harmless", NoBackoff().WithJitter(FullJitter), ""},
		{"a maximum below the default first is fine", Backoff{Max: 1}, ""},
		{"a first above the default maximum is fine", Exponential(time.Hour, 0), ""},
		{"a first that is the maximum is fine", Exponential(s, s), ""},
		{"forever is fine", Exponential(s, Forever), ""},
		{"a factor of 1 is fine", Backoff{Factor: 1}, ""},
		{"a custom alone is fine", custom(), ""},
		{"decorrelated jitter of the default shape is fine", Exponential(s, 0).WithJitter(DecorrelatedJitter), ""},

		{"a negative first", Exponential(-s, 0), "Backoff.First"},
		{"a negative maximum", Exponential(0, -s), "Backoff.Max"},
		{"a negative step", Linear(s, -s, 0), "Backoff.Step"},
		{"a negative constant", Constant(-s), "Backoff.First"},
		{"a first above the maximum", Linear(2*s, s, s), "Backoff.First"},
		{"a factor that shrinks", Backoff{Factor: 0.99}, "Backoff.Factor"},
		{"a negative factor", Backoff{Factor: -2}, "Backoff.Factor"},
		{"a factor that is no number", Backoff{Factor: math.NaN()}, "Backoff.Factor"},
		{"an infinite factor", Backoff{Factor: math.Inf(1)}, "Backoff.Factor"},
		{"an unknown shape", Backoff{Shape: 4}, "Backoff.Shape"},
		{"an unknown jitter", Backoff{Jitter: 4}, "Backoff.Jitter"},

		{"a factor beside the linear shape", Backoff{Shape: ShapeLinear, Factor: 2}, "Backoff.Factor"},
		{"a factor beside the constant shape", Backoff{Shape: ShapeConstant, Factor: 2}, "Backoff.Factor"},
		{"a step beside the exponential shape", Backoff{Step: s}, "Backoff.Step"},
		{"a first beside no delay", Backoff{Shape: ShapeNone, First: s}, "Backoff.First"},
		{"a maximum beside no delay", Backoff{Shape: ShapeNone, Max: s}, "Backoff.Max"},
		{"decorrelated jitter of a constant", Constant(s).WithJitter(DecorrelatedJitter), "Backoff.Jitter"},
		{"decorrelated jitter of a linear", Linear(s, s, 0).WithJitter(DecorrelatedJitter), "Backoff.Jitter"},
		{"decorrelated jitter with a factor", Backoff{Jitter: DecorrelatedJitter, Factor: 2}, "Backoff.Factor"},

		{"a custom that is nil", Custom(nil), "Backoff.Custom"},
		{"a custom with a shape", beside(func(b *Backoff) { b.Shape = ShapeNone }), "Backoff.Shape"},
		{"a custom with a jitter", beside(func(b *Backoff) { b.Jitter = NoJitter }), "Backoff.Jitter"},
		{"a custom with a first", beside(func(b *Backoff) { b.First = s }), "Backoff.First"},
		{"a custom with a maximum", beside(func(b *Backoff) { b.Max = s }), "Backoff.Max"},
		{"a custom with a factor", beside(func(b *Backoff) { b.Factor = 2 }), "Backoff.Factor"},
		{"a custom with a step", beside(func(b *Backoff) { b.Step = s }), "Backoff.Step"},
	} {
		t.Run(c.says, func(t *testing.T) { refused(t, c.backoff.Validate(), c.field) })
	}
}

func TestRulesValidate(t *testing.T) {
	for _, r := range everyRule() {
		if r.Restart != Never || r.MaxRetries <= 0 || r.MaxRetries == Unlimited {
			refused(t, r.Validate(), "")
		}
	}
	for _, c := range []struct {
		says  string
		rules Rules
		field string
	}{
		{"a negative limit", Rules{MaxRetries: -1}, "MaxRetries"},
		{"a limit on retries that are never made", Rules{Restart: Never, MaxRetries: 3}, "MaxRetries"},
		{"an unknown restart", Rules{Restart: 3}, "Restart"},
		{"an unknown reaction to giving up", Rules{OnGiveUp: 2}, "OnGiveUp"},
		{"an unknown reaction to a panic", Rules{OnPanic: 3}, "OnPanic"},
	} {
		t.Run(c.says, func(t *testing.T) { refused(t, c.rules.Validate(), c.field) })
	}
}

func TestIntensityValidate(t *testing.T) {
	for _, c := range []struct {
		says      string
		intensity Intensity
		field     string
	}{
		{"zero is no limit", Intensity{}, ""},
		{"some in a while is fine", Intensity{3, time.Second}, ""},
		{"none in a while is fine", Intensity{0, time.Second}, ""},
		{"some for ever is fine", Intensity{3, Forever}, ""},
		{"a negative number", Intensity{-1, time.Second}, "Intensity.Restarts"},
		{"a negative window", Intensity{1, -time.Second}, "Intensity.Within"},
		{"a number without a window", Intensity{1, 0}, "Intensity.Within"},
	} {
		t.Run(c.says, func(t *testing.T) { refused(t, c.intensity.Validate(), c.field) })
	}
}
