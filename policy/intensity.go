package policy

import (
	"sort"
	"time"
)

// Intensity limits how many restarts a time may hold. The zero value sets no
// limit; {0, d} with a positive d allows no restart at all.
type Intensity struct {
	// Restarts is how many restarts are allowed within Within; one more exceeds
	// the limit.
	Restarts int
	// Within is the length of the window that slides along with the time.
	Within time.Duration
}

// IsZero reports whether in sets no limit.
func (in Intensity) IsZero() bool { return in == Intensity{} }

// Validate refuses negative numbers, and restarts without a window to count them
// in. The error is a [*FieldError] whose Field starts with "Intensity.".
func (in Intensity) Validate() error {
	switch {
	case in.Restarts < 0:
		return refuse("Intensity.Restarts", in.Restarts, "must not be negative")
	case in.Within < 0:
		return refuse("Intensity.Within", in.Within, "must not be negative")
	case in.Restarts > 0 && in.Within == 0:
		return refuse("Intensity.Within", in.Within, "must be set together with Restarts")
	}
	return nil
}

// covers reports whether a restart at t still counts at now. One exactly Within
// ago does.
func (in Intensity) covers(t, now time.Time) bool { return now.Sub(t) <= in.Within }

// Window counts restarts against an [Intensity], exactly: it is a sliding window,
// not a bucket. The zero value is empty and ready. It must not be copied after its
// first use, and is not safe for concurrent use.
//
// All calls to one Window are meant to carry the same Intensity, and a now that
// does not go back; a now before the last restart is taken for that one's time.
type Window struct {
	// ring holds the n latest restarts, the oldest of them at head. It grows as
	// they come, up to Restarts, so that a generous limit costs nothing by itself.
	ring    []time.Time
	head, n int
}

// Allow records a restart at now and returns true, unless Restarts of them lie in
// the window already: then it returns false and records nothing. Without a limit
// it returns true and records nothing either. It takes constant time.
func (w *Window) Allow(in Intensity, now time.Time) bool {
	if in.IsZero() {
		return true
	}
	if in.Restarts <= 0 {
		return false
	}

	// The restarts are in order: if the one that is Restarts back has left the
	// window, there is room, and no other need be looked at.
	now = w.notBack(now)
	if w.n >= in.Restarts && in.covers(w.at(w.n-in.Restarts), now) {
		return false
	}
	w.record(in, now)
	return true
}

// InUse returns how many recorded restarts lie in the window at now. Without a
// limit there is no window, and the answer is 0.
func (w *Window) InUse(in Intensity, now time.Time) int {
	if in.IsZero() {
		return 0
	}
	now = w.notBack(now)
	left := sort.Search(w.n, func(i int) bool { return in.covers(w.at(i), now) })
	return w.n - left
}

// record puts now behind the others, in the place of the oldest if that one can
// no longer count.
func (w *Window) record(in Intensity, now time.Time) {
	if w.n > 0 && w.n == len(w.ring) && (w.n >= in.Restarts || !in.covers(w.at(0), now)) {
		w.head = (w.head + 1) % len(w.ring)
		w.n--
	}
	if w.n == len(w.ring) {
		w.grow(in.Restarts)
	}
	w.ring[(w.head+w.n)%len(w.ring)] = now
	w.n++
}

// grow doubles the ring, but not beyond the limit.
func (w *Window) grow(limit int) {
	const least = 4

	ring := make([]time.Time, min(max(least, 2*len(w.ring)), limit))
	for i := range w.n {
		ring[i] = w.at(i)
	}
	w.ring, w.head = ring, 0
}

// at returns the i-th restart, of which the oldest is number 0.
func (w *Window) at(i int) time.Time { return w.ring[(w.head+i)%len(w.ring)] }

// notBack returns now, or the time of the last restart if that is later.
func (w *Window) notBack(now time.Time) time.Time {
	if w.n > 0 && now.Before(w.at(w.n-1)) {
		return w.at(w.n - 1)
	}
	return now
}
