package supervisor

import (
	"math"
	"time"
)

// instant is a time in a third of the room: nanoseconds since the run began, and
// one more, so that zero is no time. A run reckons in instants; who looks on is shown
// times.
type instant int64

// beginning is the instant at which the run began.
const beginning instant = 1

// instantAt returns the instant that comes so long after the run began.
func instantAt(d time.Duration) instant { return beginning + instant(d) }

// elapsed is instantAt the other way round.
func (i instant) elapsed() time.Duration { return time.Duration(i - beginning) }

// after returns the instant of a run that began at epoch as a time, and no time for none.
func (i instant) after(epoch time.Time) time.Time {
	if i == 0 {
		return time.Time{}
	}
	return epoch.Add(i.elapsed())
}

// since returns how much later i is than j.
func (i instant) since(j instant) time.Duration { return time.Duration(i - j) }

// now reads the clock, once.
func (r *run) now() instant { return instantAt(time.Since(r.began)) }

// instant returns what a time is to the run. One before it is its beginning.
func (r *run) instant(t time.Time) instant { return instantAt(max(t.Sub(r.began), 0)) }

// time returns an instant on the clock of the run's start: good for differences,
// whatever the wall clock has done since.
func (r *run) time(i instant) time.Time { return i.after(r.began) }

// epoch returns when the run began by the wall clock as it goes now. Instants are shown in
// relation to it, so that they keep their distances; it stays what it is until the wall clock has been
// set, or has gone on while the machine slept.
func (r *run) epoch() time.Time {
	shown := r.began
	if p := r.reset.Load(); p != nil {
		shown = *p
	}
	now := time.Now()
	if epochBy(shown, now, now.Sub(r.began)).Equal(shown) {
		return shown
	}
	// Two clocks were read, one after the other, and there may have been a while in between. So
	// it counts only if there was none.
	for range sureReadings {
		before := time.Since(r.began)
		now = time.Now()
		if time.Since(r.began)-before < steady/2 {
			shown = epochBy(shown, now, now.Sub(r.began))
			r.reset.Store(&shown)
			break
		}
	}
	return shown
}

// epochBy is the epoch of a run that was shown to have begun at shown, and has lasted for a time at
// now. Both say the same unless the wall clock was set meanwhile.
func epochBy(shown, now time.Time, lasted time.Duration) time.Time {
	set := time.Duration(now.UnixNano()-shown.UnixNano()) - lasted
	if set.Abs() < steady {
		return shown // the same to the nanosecond for all who ask
	}
	return now.Add(-lasted)
}

const (
	// steady is by how much the wall clock may seem to have been set that was not.
	steady = time.Millisecond
	// sureReadings is how often both clocks are read until that was quick enough.
	sureReadings = 8
)

// wall returns an instant as the wall clock shows it. What is told of one instant is
// told with one time, so it is kept for the next who asks. It is called with mu held.
func (r *run) wall(i instant) time.Time {
	if r.lastTold != i {
		r.lastTold, r.lastTime = i, i.after(r.epoch())
	}
	return r.lastTime
}

// after is now and d more, for a d that may be Forever: a century is enough.
func after(now instant, d time.Duration) instant {
	const century = 100 * 365 * 24 * time.Hour
	return now + min(instant(min(d, century)), math.MaxInt64-now)
}

// within is min for instants, where zero is no bound.
func within(a, b instant) instant {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}
