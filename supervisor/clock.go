package supervisor

import "time"

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
// relation to it, so that they keep their distances.
func (r *run) epoch() time.Time {
	now := time.Now()
	return epochBy(r.began, now, now.Sub(r.began))
}

// epochBy is the epoch of a run that began at began and has lasted for a time at now. Both
// say the same unless the wall clock was set meanwhile, or has gone on while the machine
// slept.
func epochBy(began, now time.Time, lasted time.Duration) time.Time {
	set := time.Duration(now.UnixNano()-began.UnixNano()) - lasted
	if set.Abs() < steady {
		return began // the same to the nanosecond for all who ask
	}
	return now.Add(-lasted)
}

// steady is by how much the wall clock may seem to have been set that was not: it and the
// clock that measures cannot be read at one moment.
const steady = time.Millisecond

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
	return now + instant(min(d, century))
}

// within is min for instants, where zero is no bound.
func within(a, b instant) instant {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}
