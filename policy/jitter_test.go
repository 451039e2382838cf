package policy

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// everyBackoff is each shape with each jitter that goes with it, from gentle to
// extreme numbers.
func everyBackoff() (all []Backoff) {
	for _, j := range jitters.Values() {
		for _, b := range []Backoff{
			{}, NoBackoff(), Constant(time.Second), Constant(1), Constant(Forever),
			Linear(0, 0, 0), Linear(1, 1, 5), Linear(time.Second, Forever, Forever),
			Exponential(1, 10), Exponential(time.Second, time.Second), Exponential(time.Hour, 0),
			Exponential(0, 7), Exponential(1, Forever), Exponential(Forever, Forever),
			{First: 3, Factor: 1.3}, {First: 1, Factor: 1.5}, {First: time.Second, Factor: 1e300}, {Factor: 1},
			{First: time.Second, Max: Forever, Factor: 1.7},
		} {
			if b = b.WithJitter(j); b.Validate() == nil {
				all = append(all, b)
			}
		}
	}
	return all
}

func TestEveryDelayLiesInItsBounds(t *testing.T) {
	for _, b := range everyBackoff() {
		for range 20 {
			inBounds(t, b, 80)
		}
	}
}

// inBounds draws a series, and the series after a Reset.
func inBounds(t *testing.T, b Backoff, retries int) {
	t.Helper()
	series, limit := b.New(), b.resolved().Max
	for range 2 {
		for i, d := range take(series, retries) {
			low, high := b.Bounds(i)
			if d < low || d > high {
				t.Fatalf("%+v: delay %d is %d, outside of %d…%d", b, i, d, low, high)
			}
			if low < 0 || low > high || high > limit {
				t.Fatalf("%+v: bounds %d are %d…%d, the maximum is %d", b, i, low, high, limit)
			}
		}
		series.Reset()
	}
}

func TestBounds(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		says      string
		backoff   Backoff
		retry     int
		low, high time.Duration
	}{
		{"equal jitter keeps half", Backoff{}, 0, 100 * ms, 200 * ms},
		{"equal jitter keeps half of what has grown", Backoff{}, 2, 400 * ms, 800 * ms},
		{"equal jitter keeps half of the maximum", Backoff{}, math.MaxInt, 15 * s, 30 * s},
		{"full jitter keeps nothing", Exponential(s, 0).WithJitter(FullJitter), 1, 0, 2 * s},
		{"without jitter there is one delay", Exponential(s, 0).WithJitter(NoJitter), 3, 8 * s, 8 * s},
		{"decorrelated starts below three times the first", Exponential(s, 0).WithJitter(DecorrelatedJitter), 0, s, 3 * s},
		{"decorrelated can triple each time", Exponential(s, 0).WithJitter(DecorrelatedJitter), 2, s, 27 * s},
		{"decorrelated is capped", Exponential(s, 0).WithJitter(DecorrelatedJitter), 3, s, 30 * s},
		{"a linear is exact", Linear(s, 2*s, 0).WithJitter(NoJitter), 4, 9 * s, 9 * s},
		{"a linear is capped far away", Linear(s, 1, Forever).WithJitter(NoJitter), 1 << 30, s + 1<<30, s + 1<<30},
		{"no backoff has no range", NoBackoff().WithJitter(FullJitter), 5, 0, 0},
		{"a retry before the first is the first", Backoff{}, -3, 100 * ms, 200 * ms},
		{"growth too slow to follow leaves a wide range",
			Backoff{First: s, Max: Forever, Factor: 1 + 1e-9, Jitter: NoJitter}, math.MaxInt, s + 1<<16, Forever},
	} {
		if low, high := c.backoff.Bounds(c.retry); low != c.low || high != c.high {
			t.Errorf("%s: got %v…%v, want %v…%v", c.says, low, high, c.low, c.high)
		}
	}
}

func TestJitterReachesBothEnds(t *testing.T) {
	for _, c := range []struct {
		jitter Jitter
		want   map[time.Duration]bool
	}{
		{NoJitter, set(5, 5)},
		{FullJitter, set(0, 5)},
		{EqualJitter, set(2, 5)},
		{DecorrelatedJitter, set(5, 15)},
	} {
		got := map[time.Duration]bool{}
		for range 2000 {
			got[Exponential(5, 0).WithJitter(c.jitter).New().NextBackOff()] = true
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%v of 5 ns draws %v, want %v", c.jitter, got, c.want)
		}
	}
}

func set(low, high time.Duration) map[time.Duration]bool {
	s := map[time.Duration]bool{}
	for d := low; d <= high; d++ {
		s[d] = true
	}
	return s
}

func TestDecorrelatedDrawsFromTheDelayBefore(t *testing.T) {
	series := Exponential(time.Second, Forever).WithJitter(DecorrelatedJitter).New()
	prev := time.Second
	for range 200 {
		d := series.NextBackOff()
		if d < time.Second || d > triple(prev) {
			t.Fatalf("%v follows %v", d, prev)
		}
		prev = d
	}
}

func FuzzBoundsHoldForDraws(f *testing.F) {
	f.Add(uint8(0), uint8(0), int64(0), int64(0), 0.0, int64(0))
	f.Add(uint8(1), uint8(2), int64(time.Second), int64(Forever), 0.0, int64(Forever))
	f.Add(uint8(0), uint8(3), int64(Forever/2), int64(Forever), 0.0, int64(0))
	f.Add(uint8(0), uint8(1), int64(3), int64(Forever), 3.0000001, int64(0))
	f.Fuzz(func(t *testing.T, shape, jitter uint8, first, limit int64, factor float64, step int64) {
		inBounds(t, Backoff{
			Shape: Shape(shape), Jitter: Jitter(jitter), Factor: factor,
			First: time.Duration(first), Max: time.Duration(limit), Step: time.Duration(step),
		}, 70)
	})
}
