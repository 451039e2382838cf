package persist

import "time"

// place is where an entry is. It says a little more than Phase does.
type place uint8

const (
	gone     place = iota // it has ended
	arriving              // its insertion is being committed
	blocked               // it waits for another of the same key to end
	delayed               // it waits for a time
	ready                 // it is in its lane
	parked                // somebody has to release it
	claiming              // its claim is being committed
	running               // it has been given to a handler
	settling              // what follows its attempt is being committed
	leaving               // its end is being committed, without an attempt
)

// phaseOf is what places are called outside. Zero is not to be seen there.
var phaseOf = [...]Phase{
	gone: Ended, arriving: 0, blocked: Blocked, delayed: Delayed, ready: Ready, parked: Parked,
	claiming: Running, running: Running, settling: Running, leaving: 0,
}

// waits reports whether the job is one that may expire, be superseded, or be cancelled
// without further ado.
func (p place) waits() bool { return p >= arriving && p <= parked }

// entry is a job that has not ended, as the book keeps it. There may be millions, so it has
// what scheduling needs; the rest is in the store.
type entry struct {
	id        ID
	kind      *kind
	group     *group // nil for none
	lane      *lane  // while it is ready
	digest    Digest
	when      instant // delayed: until when; ready: since when
	submitted int64   // wall time
	more      *more   // nil for most
	claim     *claim  // while it has a place, or is settling
	kept      *Job    // what it was submitted with, or nil

	weight             uint32 // of what is kept
	fence              uint32
	attempts, failures uint32
	priority           Priority
	place              place
	absolute           bool // when follows the wall clock
	suspect            bool // it ran when the process died
	unstored           bool // it was accepted and is not stored yet
}

// more is what few jobs need.
type more struct {
	rules    Rules
	ttl      time.Duration
	ttlFrom  TTLFrom
	expires  instant
	pause    time.Duration
	last     *Failure
	putOff   bool // after a failure: it waits since it wanted to, and not for a retry
	verdict  Ending
	by       ID // whose verdict it is, if it was superseded
	crashes  int
	parked   string
	follower *entry        // waits for this one to end
	ahead    *entry        // this one waits for that to end
	ended    chan struct{} // of those that wait for its end
}

func (e *entry) extend() *more {
	if e.more == nil {
		e.more = &more{}
	}
	return e.more
}

// awaited returns a channel that is closed when the job has ended.
func (e *entry) awaited() chan struct{} {
	x := e.extend()
	if x.ended == nil {
		x.ended = make(chan struct{})
	}
	return x.ended
}

// extra returns what is there, for reading.
func (e *entry) extra() more {
	if e.more == nil {
		return more{}
	}
	return *e.more
}

func (e *entry) follower() *entry {
	if e.more == nil {
		return nil
	}
	return e.more.follower
}

// makesWay reports whether how the job ends is decided, and another waits for that: once its attempt was
// given up, there is nothing to wait for.
func (e *entry) makesWay() bool {
	return e.more != nil && e.more.verdict != 0 && e.more.follower != nil
}

// heir is who has the key next, unless that is about to end itself.
func (e *entry) heir() *entry {
	if f := e.follower(); f != nil && f.place != leaving {
		return f
	}
	return nil
}

// due is when something is to be done about an entry that waits, or zero.
func (e *entry) due() instant {
	var due instant
	if e.place == delayed {
		due = e.when
	}
	if e.more != nil && e.more.expires != 0 && e.place.waits() && e.place != arriving && (due == 0 || e.more.expires < due) {
		due = e.more.expires
	}
	return due
}

// expired reports whether a job is not worth running any more.
func (e *entry) expired(now instant) bool {
	return e.more != nil && e.more.expires != 0 && e.more.expires <= now
}

// state is what is to be stored of it.
func (e *entry) state(c *clock) State {
	x := e.extra()
	s := State{
		Fence: uint64(e.fence), Attempts: int(e.attempts), Failures: int(e.failures), Priority: e.priority,
		Expires: c.wall(x.expires), Pause: x.pause, Last: x.last, Verdict: x.verdict, Crashes: x.crashes, Parked: x.parked,
		PutOff: x.putOff, By: x.by,
	}
	if e.place == delayed || e.place == blocked || e.place == arriving { // when is what it waits for, or will
		s.RunAt = c.wall(e.when)
	}
	return s
}
