package persist

import (
	"testing"
	"time"
)

func TestAMomentIsTheSameThereAndBack(t *testing.T) {
	c := newClock()
	for _, d := range []time.Duration{0, 1, time.Second, 1000 * time.Hour} {
		at := c.base.Add(d).Round(0)
		if i := c.at(at); i != instant(d)+1 || !c.wall(i).Equal(at) {
			t.Errorf("%v is instant %d, and that is %v", at, i, c.wall(i))
		}
	}
	if i := c.at(time.Time{}); i != 0 || !c.wall(0).IsZero() {
		t.Errorf("no time is instant %d", i)
	}
	if i := c.at(c.base.Add(-time.Hour)); i != 1 {
		t.Errorf("what is past is instant %d", i)
	}
}

func TestAClockThatWasSetChangesWhatTimesOfDayAre(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, -time.Hour, 24 * time.Hour} {
		c := newClock()
		noon := c.base.Add(48 * time.Hour).Round(0)
		before := c.at(noon)
		c.drift += by
		if got := c.at(noon); got != before-instant(by) {
			t.Errorf("set by %v: noon was instant %d, and is %d", by, before, got)
		}
		if !c.wall(c.at(noon)).Equal(noon) {
			t.Errorf("set by %v: noon is at %v", by, c.wall(c.at(noon)))
		}
	}
}

func TestALookFindsAClockThatWasNotSetAsItIs(t *testing.T) {
	c := newClock()
	for _, now := range []time.Time{c.base, c.base.Add(time.Hour), time.Now()} {
		if by := c.look(now); by != 0 || c.drift != 0 {
			t.Errorf("set by %v", by)
		}
	}
}

// shelf is a book with one job of each sort, that wait for a time in an hour.
func shelf(t *testing.T) (b *book, absolute, pausing, behind *entry) {
	t.Helper()
	b = newBook()
	b.phase = inService
	b.workers = 1
	b.queueSet = base()
	k := b.kind("k")
	k.run = nil
	add := func(id ID, digest byte, runAt time.Time) *entry {
		r := &Record{ID: id, Type: "k", RunAt: runAt, Digest: Digest{digest}}
		s := r.InitialState()
		e := b.newEntry(r, &s, k)
		ahead := b.holding(e.digest)
		b.register(e)
		if ahead != nil {
			follow(e, ahead)
		}
		b.settleIn(e)
		return e
	}
	at := b.clock.wall(b.clock.now() + instant(time.Hour))
	absolute = add(1, 1, at)
	pausing = add(2, 2, time.Time{})
	b.move(pausing, delayed, b.clock.now()+instant(time.Hour)) // after a failure
	behind = add(3, 1, at)
	return b, absolute, pausing, behind
}

func TestOnlyWhatWaitsForATimeOfDayFollowsTheWallClock(t *testing.T) {
	b, absolute, pausing, behind := shelf(t)
	was, paused := absolute.when, pausing.when
	b.shift(30 * time.Minute)
	if absolute.when != was-instant(30*time.Minute) || behind.when >= was {
		t.Errorf("those that follow it: %d, %d; they were %d", absolute.when, behind.when, was)
	}
	if pausing.when != paused {
		t.Errorf("one that pauses: %d, it was %d", pausing.when, paused)
	}
	expired, next := b.mature(absolute.when - 1)
	if len(expired) != 0 || next != absolute.when || absolute.place != delayed {
		t.Errorf("too early: %v, next %d, at %d", expired, next, absolute.place)
	}
	if _, next = b.mature(absolute.when); absolute.place != ready || next != paused {
		t.Errorf("in time: at %d, next %d, want %d", absolute.place, next, paused)
	}
	b.shift(-time.Hour) // it is ready, and stays so
	if absolute.place != ready {
		t.Errorf("set back: at %d", absolute.place)
	}
}

func TestAClockSetForwardByMuchMakesDueWhatWaits(t *testing.T) {
	b, absolute, pausing, _ := shelf(t)
	b.shift(240 * time.Hour)
	b.mature(b.clock.now())
	if absolute.place != ready || pausing.place != delayed {
		t.Errorf("at %d, the one that pauses at %d", absolute.place, pausing.place)
	}
}

func TestADelayIsNoTimeOfDayUntilItIsReadAgain(t *testing.T) {
	b := newBook()
	k := b.kind("k")
	now := time.Now()
	for _, row := range []struct {
		what     string
		set      settings
		absolute bool
	}{
		{"a delay", settings{codec: JSON, delay: time.Hour}, false},
		{"a time", settings{codec: JSON, at: now.Add(time.Hour)}, true},
	} {
		var p prepared
		s := Raw("k", nil)
		if err := s.prepare(&p, &scribe{}, k, &row.set, 10, now); err != nil {
			t.Fatal(err)
		}
		b.next++
		var in insertion
		(&submitOp{}).insert(b, &commit{}, &p, &in, nil)
		if in.job.absolute != row.absolute {
			t.Errorf("%s: absolute is %v", row.what, in.job.absolute)
		}
		b.forget(in.job)
	}
}

// Delays and times to live are kept by the even clock, also of what is submitted just after the wall clock was
// set, before anybody has looked.
func TestWhatIsSubmittedAfterTheWallClockWasSet(t *testing.T) {
	for _, by := range []time.Duration{30 * time.Minute, -30 * time.Minute} {
		b := newBook()
		b.phase, b.queueSet, b.next = inService, base(), 1
		b.clock.drift = -by // which the last look has not seen
		make := func(opts ...Option) *prepared {
			p, s := &prepared{}, Raw("k", nil)
			set := b.queueSet.with(ofCall, append(opts, WithoutKey()))
			if err := s.prepare(p, &scribe{}, b.seen("k"), &set, MaxPayload, time.Now()); err != nil {
				t.Fatal(err)
			}
			return p
		}
		q := &Queue{book: b}
		w := &writer{q: q, run: b.run}
		w.begin([]op{&submitOp{
			subs: []*prepared{make(WithDelay(time.Minute)), make(WithTTL(time.Minute))}, results: []Result{{}, {}}, plans: []insertion{{}, {}}, reply: nil,
		}})
		c := &commit{now: time.Now()}
		b.keepTime(c.now)
		w.plan(c, w.next())
		for _, o := range c.ops {
			o.done(b, c)
		}
		for what, d := range map[string]instant{"the delay": b.find(1).when - b.clock.now(), "the time to live": b.find(2).more.expires - b.clock.now()} {
			if got := time.Duration(d); got < 50*time.Second || got > 70*time.Second {
				t.Errorf("set by %v: %s is %v, and not a minute", by, what, got)
			}
		}
	}
}
