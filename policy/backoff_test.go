package policy

import (
	"slices"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v4"
)

const ms = time.Millisecond

func TestDelaysWithoutJitter(t *testing.T) {
	for _, c := range []struct {
		says    string
		backoff Backoff
		want    []time.Duration
	}{
		{"zero doubles from 200 ms to 30 s", Backoff{Jitter: NoJitter},
			[]time.Duration{200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 6400 * ms, 12800 * ms, 25600 * ms, 30000 * ms, 30000 * ms}},
		{"an exponential doubles and is cut to its maximum", Exponential(ms, 5*ms), []time.Duration{ms, 2 * ms, 4 * ms, 5 * ms, 5 * ms}},
		{"a factor need not be whole", Backoff{First: 4 * ms, Factor: 1.5}, []time.Duration{4 * ms, 6 * ms, 9 * ms}},
		{"a factor of 1 stays", Backoff{First: ms, Factor: 1}, []time.Duration{ms, ms, ms}},
		{"a maximum below the default first is the first", Exponential(0, 5*ms), []time.Duration{5 * ms, 5 * ms}},
		{"a first above the default maximum is the maximum", Exponential(time.Hour, 0), []time.Duration{time.Hour, time.Hour}},
		{"a linear adds its step up to its maximum", Linear(ms, 3*ms, 8*ms), []time.Duration{ms, 4 * ms, 7 * ms, 8 * ms, 8 * ms}},
		{"a linear without a step adds its first", Linear(2*ms, 0, 0), []time.Duration{2 * ms, 4 * ms, 6 * ms}},
		{"a linear of zeros has the defaults", Linear(0, 0, 0), []time.Duration{200 * ms, 400 * ms, 600 * ms}},
		{"a constant stays", Constant(time.Hour), []time.Duration{time.Hour, time.Hour}},
		{"no backoff does not wait", NoBackoff(), []time.Duration{0, 0}},
		{"a constant of zero does not wait", Constant(0), []time.Duration{0, 0}},
		{"an exponential does not overflow", Exponential(Forever/3, Forever), []time.Duration{Forever / 3, (Forever/3 + 1) * 2, Forever, Forever}},
		{"a linear does not overflow", Linear(Forever-1, Forever, Forever), []time.Duration{Forever - 1, Forever, Forever}},
	} {
		t.Run(c.says, func(t *testing.T) {
			series := c.backoff.WithJitter(NoJitter).New()
			for _, round := range []string{"first", "after Reset"} {
				if got := take(series, len(c.want)); !near(got, c.want) {
					t.Errorf("%s: got %v, want %v", round, got, c.want)
				}
				series.Reset()
			}
		})
	}
}

func take(series backoff.BackOff, n int) (delays []time.Duration) {
	for range n {
		delays = append(delays, series.NextBackOff())
	}
	return delays
}

// near forgives what a float64 rounds off a duration of three hundred years.
func near(got, want []time.Duration) bool {
	return slices.EqualFunc(got, want, func(g, w time.Duration) bool {
		return (g - w).Abs() <= w>>50
	})
}

func TestSeriesOfOneBackoffAreIndependent(t *testing.T) {
	b := Exponential(ms, 0).WithJitter(NoJitter)
	one, other := b.New(), b.New()
	take(one, 5)
	if got := other.NextBackOff(); got != ms {
		t.Errorf("the other series starts at %v", got)
	}
}

func TestRefusedBackoffsStillRun(t *testing.T) {
	nan := 0.0
	nan /= nan
	for _, b := range []Backoff{
		{First: -1, Max: -1, Factor: -1, Step: -1}, {First: time.Hour, Max: 1},
		{Factor: nan}, {Factor: 0.5}, {Shape: 99, Jitter: 99}, Custom(nil), Constant(-1),
		{Shape: ShapeLinear, Step: -time.Hour}, {Shape: ShapeLinear, Jitter: DecorrelatedJitter},
		Custom(func() backoff.BackOff { return nil }),
	} {
		limit := b.resolved().Max
		for i, d := range take(b.New(), 50) {
			if d < 0 || d > limit {
				t.Errorf("%+v: delay %d is %v", b, i, d)
			}
		}
	}
}

func TestCustomIsUsedAsItIs(t *testing.T) {
	made := 0
	b := Custom(func() backoff.BackOff { made++; return &backoff.StopBackOff{} })
	if got := b.New().NextBackOff(); got != backoff.Stop || made != 1 {
		t.Errorf("got %v after %d calls of the factory", got, made)
	}
	if low, high := b.Bounds(3); low != 0 || high != Forever {
		t.Errorf("its bounds are %v and %v", low, high)
	}
}

func TestBackoffEqual(t *testing.T) {
	full := Backoff{ShapeLinear, FullJitter, 1, 2, 3, 4, nil}
	for _, c := range []struct {
		says string
		a, b Backoff
		want bool
	}{
		{"zeros are equal", Backoff{}, Exponential(0, 0), true},
		{"equal settings are equal", full, full, true},
		{"a stated default differs from one not said", Backoff{}, Exponential(DefaultFirst, 0), false},
		{"the shape counts", full, Backoff{ShapeNone, FullJitter, 1, 2, 3, 4, nil}, false},
		{"the jitter counts", full, Backoff{ShapeLinear, NoJitter, 1, 2, 3, 4, nil}, false},
		{"the first counts", full, Backoff{ShapeLinear, FullJitter, 9, 2, 3, 4, nil}, false},
		{"the maximum counts", full, Backoff{ShapeLinear, FullJitter, 1, 9, 3, 4, nil}, false},
		{"the factor counts", full, Backoff{ShapeLinear, FullJitter, 1, 2, 9, 4, nil}, false},
		{"the step counts", full, Backoff{ShapeLinear, FullJitter, 1, 2, 3, 9, nil}, false},
		{"customs are never equal", custom(), custom(), false},
		{"a custom is not zero", custom(), Backoff{}, false},
	} {
		if c.a.Equal(c.b) != c.want || c.b.Equal(c.a) != c.want {
			t.Errorf("%s: got %v", c.says, !c.want)
		}
	}
	if !(Backoff{}).IsZero() || full.IsZero() || custom().IsZero() || Custom(nil).IsZero() {
		t.Error("IsZero holds for the zero Backoff only")
	}
}
