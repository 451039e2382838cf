package persist

import (
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
)

func TestDecideDuplicate(t *testing.T) {
	for _, row := range []struct {
		what string
		d    Duplicates
		h    holder
		want answer
	}{
		{"a free key is taken", Skip, noHolder, insert},
		{"a free key is taken by who would supersede", Supersede, noHolder, insert},
		{"a free key is taken by who would be rejected", Reject, noHolder, insert},
		{"who waits does what was submitted", Skip, waiting, joinHolder},
		{"who runs is followed: it may have read what has changed since", Skip, busy, insertBehind},
		{"who follows already does what was submitted", Skip, busyTwice, joinFollower},
		{"who has run is followed", Skip, ending, insertBehind},
		{"who waits is replaced", Supersede, waiting, replace},
		{"who runs is told to end", Supersede, busy, replaceBusy},
		{"who runs is told to end, and who follows it is replaced", Supersede, busyTwice, replaceBusy},
		{"who has run cannot be stopped any more", Supersede, ending, insertBehind},
		{"a key that is held is refused, waiting", Reject, waiting, refuse},
		{"a key that is held is refused, running", Reject, busy, refuse},
		{"a key that is held is refused, followed", Reject, busyTwice, refuse},
		{"a key that is held is refused, ending", Reject, ending, refuse},
	} {
		if got := decideDuplicate(row.d, row.h); got != row.want {
			t.Errorf("%s: answer %d, want %d", row.what, got, row.want)
		}
	}
}

func TestDecideNext(t *testing.T) {
	for _, row := range []struct {
		what     string
		v        verdict
		max      int
		failures int
		want     move
		end      Ending
	}{
		{"who succeeds has completed", verdict{exit: policy.Succeeded}, 3, 1, endNow, Completed},
		{"who has finished has completed", verdict{exit: policy.Finished}, 3, 1, endNow, Completed},
		{"the first failure is retried", verdict{exit: policy.Failed}, 3, 1, again, 0},
		{"the last retry is one", verdict{exit: policy.Failed}, 3, 3, again, 0},
		{"one failure too many is a dead letter", verdict{exit: policy.Failed}, 3, 4, endNow, DeadLetter},
		{"without retries the first failure is the last", verdict{exit: policy.Failed}, policy.NoRetry, 1, endNow, DeadLetter},
		{"without a limit there is always another", verdict{exit: policy.Failed}, policy.Unlimited, 1 << 15, again, 0},
		{"a panic is a failure", verdict{exit: policy.Panicked}, 3, 1, again, 0},
		{"a timeout is a failure", verdict{exit: policy.TimedOut}, 3, 1, again, 0},
		{"a stall is a failure", verdict{exit: policy.Stalled}, 3, 1, again, 0},
		{"an exit is a failure", verdict{exit: policy.Exited}, 3, 4, endNow, DeadLetter},
		{"an escalation is a failure of the job", verdict{exit: policy.Escalated}, 3, 1, again, 0},
		{"a fatal error is not retried", verdict{exit: policy.Fatal}, 3, 1, endNow, Failed},
		{"who is put off has not failed", verdict{exit: policy.Failed, snooze: true}, policy.NoRetry, 1, putOff, 0},
		{"who cancels itself has ended", verdict{exit: policy.Failed, cancel: true}, 3, 1, endNow, Cancelled},
		{"a stop of everything consumes nothing", verdict{exit: policy.Stopped, reason: events.ReasonShutdown}, policy.NoRetry, 1, putBack, 0},
		{"who was stopped by hand is cancelled", verdict{exit: policy.Stopped, reason: events.ReasonStopped}, 3, 1, endNow, Cancelled},
		{"who was removed is cancelled", verdict{exit: policy.Stopped, reason: events.ReasonRemoved}, 3, 1, endNow, Cancelled},
	} {
		move, end := decideNext(&row.v, row.max, row.failures)
		if move != row.want || end != row.end {
			t.Errorf("%s: %d %v, want %d %v", row.what, move, end, row.want, row.end)
		}
	}
}

func TestDigestsOfDifferentThingsDiffer(t *testing.T) {
	seen := map[Digest]string{}
	for _, row := range []struct {
		typeName string
		what     byte
		key      string
	}{
		{"a", 'k', "b"}, {"a", 'p', "b"}, {"ak", 'k', "b"}, {"a", 'k', "kb"}, {"a", 'k', "pb"}, {"a", 'k', ""}, {"a", 'p', ""},
		{"", 'k', "akb"}, {"b", 'k', "b"}, {"a/b", 'k', "b"}, {"a", 'k', "/bkb"},
	} {
		d := digest(row.typeName, row.what, []byte(row.key))
		name := row.typeName + "|" + string(row.what) + "|" + row.key
		if other, there := seen[d]; there {
			t.Errorf("%s and %s have one digest", name, other)
		}
		if d.IsZero() || d != digest(row.typeName, row.what, []byte(row.key)) {
			t.Errorf("%s: %x", name, d)
		}
		seen[d] = name
	}
}

func TestAClockKeepsMomentsThatAreOutOfSight(t *testing.T) {
	c := newClock()
	base := c.base.Round(0)
	for _, row := range []struct {
		what string
		t    time.Time
		want func(instant) bool
	}{
		{"no time is none", time.Time{}, func(i instant) bool { return i == 0 }},
		{"what is past is past", base.Add(-time.Hour), func(i instant) bool { return i == 1 }},
		{"what is long past is past", time.Unix(0, 0).AddDate(-3000, 0, 0), func(i instant) bool { return i == 1 }},
		{"the base is the first", base, func(i instant) bool { return i == 1 }},
		{"an hour is an hour", base.Add(time.Hour), func(i instant) bool { return i == instant(time.Hour)+1 }},
		{"a century is to come", base.AddDate(100, 0, 0), func(i instant) bool { return i > instant(99*365*24*time.Hour) }},
		{"what is too far for a duration is to come", base.AddDate(7000, 0, 0), func(i instant) bool { return i > instant(99*365*24*time.Hour) }},
		{"the longest duration is to come", base.Add(policy.Forever), func(i instant) bool { return i > instant(99*365*24*time.Hour) }},
	} {
		if i := c.at(row.t); !row.want(i) {
			t.Errorf("%s: %d", row.what, i)
		}
	}
	for _, d := range []time.Duration{0, 1, time.Hour, 24 * 365 * time.Hour} {
		if at := base.Add(d); !c.wall(c.at(at)).Equal(at) {
			t.Errorf("%v comes back as %v", at, c.wall(c.at(at)))
		}
	}
	if !c.wall(0).IsZero() {
		t.Error("no moment has a time")
	}
}

func TestAClockTellsWhenTheWallWasSet(t *testing.T) {
	c := newClock()
	at := c.base.Round(0).Add(time.Hour)
	if by := c.look(c.base.Add(time.Minute)); by != 0 {
		t.Errorf("set by %v", by)
	}
	before := c.at(at)
	c.drift = 10 * time.Minute // the wall has been set forward
	if moved := before - c.at(at); moved != instant(10*time.Minute) {
		t.Errorf("what is to come moves by %v", time.Duration(moved))
	}
	if !c.wall(c.at(at)).Equal(at) {
		t.Errorf("%v comes back as %v", at, c.wall(c.at(at)))
	}
}
