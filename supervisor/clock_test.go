package supervisor

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/policy"
)

func TestTheEpochFollowsTheWallClockAndNothingElse(t *testing.T) {
	began := time.Date(2026, 3, 29, 1, 59, 0, 0, time.UTC)
	const lasted = 3 * time.Hour
	for _, row := range []struct {
		name      string
		set, want time.Duration
	}{
		{"untouched", 0, 0},
		{"read a little late", 300 * time.Nanosecond, 0},
		{"read a little early", -20 * time.Microsecond, 0},
		{"set forward", 2 * time.Second, 2 * time.Second},
		{"set back", -time.Hour, -time.Hour},
		{"gone on while the machine slept", 8 * time.Hour, 8 * time.Hour},
	} {
		t.Run(row.name, func(t *testing.T) {
			now := began.Add(lasted + row.set)
			if got := epochBy(began, now, lasted).Sub(began); got != row.want {
				t.Errorf("the epoch has moved by %v, want %v", got, row.want)
			}
		})
	}
}

func TestAnInstantKeepsWhatATimeSays(t *testing.T) {
	r := &run{began: time.Now()}
	for _, d := range []time.Duration{0, 1, time.Minute, 50 * 365 * 24 * time.Hour} {
		i := r.instant(r.began.Add(d))
		if i == 0 {
			t.Errorf("%v after the beginning is no time", d)
		}
		if got := r.time(i); !got.Equal(r.began.Add(d)) {
			t.Errorf("%v after the beginning is shown as %v", d, got)
		}
		if got := i.elapsed(); got != d {
			t.Errorf("%v after the beginning %v have elapsed", d, got)
		}
	}
	if got := r.instant(r.began.Add(-time.Hour)); got != beginning {
		t.Errorf("before the beginning is %d, want the beginning", got)
	}
	if got := instant(0).after(r.began); !got.IsZero() {
		t.Errorf("no time is shown as %v", got)
	}
}

func TestWithinTheEarlierBoundHoldsAndZeroIsNone(t *testing.T) {
	for _, row := range []struct{ a, b, want instant }{{0, 0, 0}, {5, 0, 5}, {0, 5, 5}, {5, 6, 5}, {6, 5, 5}} {
		if got := within(row.a, row.b); got != row.want {
			t.Errorf("within(%d, %d) = %d, want %d", row.a, row.b, got, row.want)
		}
	}
}

// Two clocks cannot be read at one moment, and on a busy machine there may be a while in between.
func TestTheEpochStaysUnlessTheClockWasSet(t *testing.T) {
	var quit atomic.Bool
	var busy sync.WaitGroup
	for range 4 * runtime.GOMAXPROCS(0) {
		busy.Go(func() {
			for !quit.Load() {
				runtime.KeepAlive(&busy)
			}
		})
	}
	r := &run{began: time.Now()}
	for range 300_000 {
		if got := r.epoch(); got != r.began {
			t.Errorf("the epoch has moved by %v", got.Sub(r.began))
			break
		}
	}
	// It was set an hour back, after it had been set an hour forward.
	forward := r.began.Round(0).Add(time.Hour)
	r.reset.Store(&forward)
	now := r.epoch()
	if off := now.Round(0).Sub(r.began.Round(0)); off.Abs() > steady {
		t.Errorf("the epoch is off by %v", off)
	}
	for range 100_000 {
		if got := r.epoch(); got != now {
			t.Errorf("the epoch has moved by %v", got.Sub(now))
			break
		}
	}
	quit.Store(true)
	busy.Wait()
}

func TestForeverIsNeverOver(t *testing.T) {
	for _, now := range []instant{beginning, math.MaxInt64 / 2, math.MaxInt64 - 1} {
		if got := after(now, policy.Forever); got < now {
			t.Errorf("Forever after %d is %d", now, got)
		}
	}
}
