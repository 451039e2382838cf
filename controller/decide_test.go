package controller

import (
	"testing"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
)

func TestWhatIsDecidedFollowsFromHowFullTheSlotIs(t *testing.T) {
	const many = policy.Unlimited
	const busy, full = events.ReasonBusy, events.ReasonFull
	for _, row := range []struct {
		name                   string
		at                     occupancy
		queue, replace, drop   answer
		whyQueue, whyRe, whyDr events.Reason
	}{
		{"nobody is there", occupancy{0, 1, 0, 100, false}, enters, enters, enters, 0, 0, 0},
		{"nobody is there and nobody may wait", occupancy{0, 1, 0, 0, false}, enters, enters, enters, 0, 0, 0},
		{"one of two places is free", occupancy{1, 2, 0, 100, false}, enters, enters, enters, 0, 0, 0},
		{"there is no end of places", occupancy{1 << 30, many, 0, 0, false}, enters, enters, enters, 0, 0, 0},
		{"no place is free", occupancy{1, 1, 0, 100, false}, waits, succeeds, refused, 0, 0, busy},
		{"no place is free and some wait", occupancy{1, 1, 99, 100, false}, waits, succeeds, refused, 0, 0, busy},
		{"the queue is full", occupancy{1, 1, 100, 100, false}, refused, succeeds, refused, full, 0, busy},
		{"the queue is more than full", occupancy{1, 1, 101, 100, false}, refused, succeeds, refused, full, 0, busy},
		{"nobody may wait", occupancy{1, 1, 0, 0, false}, refused, succeeds, refused, full, 0, busy},
		{"there is no end of the queue", occupancy{1, 1, 1 << 30, many, false}, waits, succeeds, refused, 0, 0, busy},
		{"one of two places is free, but an owner has its name", occupancy{1, 2, 0, 100, true}, waits, succeeds, refused, 0, 0, busy},
		{"the same, and nobody may wait", occupancy{1, 2, 0, 0, true}, refused, succeeds, refused, full, 0, busy},
		{"a place is free, for which somebody waits that has the name of an owner", occupancy{1, 2, 1, 100, false}, waits, enters, refused, 0, 0, busy},
		{"more run than may by now", occupancy{3, 2, 0, 100, false}, waits, succeeds, refused, 0, 0, busy},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, c := range []struct {
				admission Admission
				want      answer
				why       events.Reason
			}{
				{Queue, row.queue, row.whyQueue}, {Replace, row.replace, row.whyRe}, {DropIfRunning, row.drop, row.whyDr},
			} {
				if got, why := decide(c.admission, row.at); got != c.want || why != c.why {
					t.Errorf("%v: %v (%v), want %v (%v)", c.admission, got, why, c.want, c.why)
				}
			}
		})
	}
}

// Whatever the numbers: a refusal says why and nothing else does, nobody is refused
// while there is a free place, and Replace never is.
func FuzzDecide(f *testing.F) {
	f.Add(uint8(0), 0, 1, 0, 100, false)
	f.Add(uint8(1), 1, 1, 1, 0, false)
	f.Add(uint8(2), 5, 2, 7, 7, true)
	f.Fuzz(func(t *testing.T, a uint8, owners, width, waiting, depth int, namesake bool) {
		admission := Admission(a % 3)
		free := owners < width && !namesake
		got, why := decide(admission, occupancy{owners, width, waiting, depth, namesake})
		switch {
		case (why != 0) != (got == refused):
			t.Errorf("%v because of %v", got, why)
		case (free && (waiting == 0 || admission == Replace)) != (got == enters):
			t.Errorf("%d of %d places are taken, and %d wait: %v", owners, width, waiting, got)
		case got == refused && admission == Replace, got == succeeds && admission != Replace, got == waits && admission != Queue:
			t.Errorf("%v: %v", admission, got)
		}
	})
}

func TestEachAdmissionHasALabelBothWays(t *testing.T) {
	for a := Queue; a <= DropIfRunning; a++ {
		text, err := a.MarshalText()
		if err != nil || string(text) != a.String() {
			t.Errorf("%d: %q, %v", a, text, err)
		}
		var back Admission = 99
		if err := back.UnmarshalText(text); err != nil || back != a {
			t.Errorf("%q is %v, %v", text, back, err)
		}
	}
	if _, err := (DropIfRunning + 1).MarshalText(); err == nil {
		t.Error("an unknown admission has a label")
	}
	a := Replace
	if err := a.UnmarshalText([]byte("whatever")); err == nil || a != Replace {
		t.Errorf("an unknown label is %v, %v", a, err)
	}
}

// A free unit of room is never made up and never lost, whoever leaves when.
func TestRoomIsGivenToTheFirstThatWaitsForIt(t *testing.T) {
	r := room{free: 2}
	entries := make([]*entry, 5)
	for i := range entries {
		entries[i] = &entry{ticket: &Ticket{}}
		r.take(entries[i])
	}
	if r.free != 0 || r.parked.Len() != 3 {
		t.Fatalf("%d free, %d parked", r.free, r.parked.Len())
	}
	r.give(entries[3]) // gives up while it is parked
	r.give(entries[0])
	if entries[2].room != seated || entries[4].room != parked || r.parked.Len() != 1 {
		t.Error("the room is not the first's that was parked")
	}
	r.give(&entry{}) // took none: a replacement
	for _, i := range []int{1, 2, 4} {
		r.give(entries[i])
	}
	if r.free != 2 || r.parked.Len() != 0 {
		t.Errorf("%d free, %d parked", r.free, r.parked.Len())
	}
}
