package boltstore

import (
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/taskvisor/taskvisor/persist"
)

// tally is what the file should hold. It is written with each commit, in a page that each
// commit writes anyway. So jobs that have vanished from a damaged page are missed.
type tally struct {
	// serial is that of the last commit. No two attempts at a commit have the same one,
	// also if they fail, so that it says which of them has come to pass.
	serial uint64
	// last is the last ID, and seq the last place in the order of ends.
	last persist.ID
	seq  uint64
	// pending is how many jobs have not ended, and past how many have, in each way.
	pending uint64
	past    [persist.DependencyFailed + 1]uint64
	// blobs is how many payloads lie apart, and states how many jobs are not as they were submitted.
	blobs, states uint64
}

// The fields of a tally. The numbers from tallyPast on are those of the ways to end.
const (
	tallySerial protowire.Number = iota + 1
	tallyLast
	tallySeq
	tallyPending
	tallyBlobs
	tallyStates

	tallyPast protowire.Number = 32
)

func appendTally(b []byte, t *tally) []byte {
	b = appendUint(b, tallySerial, t.serial)
	b = appendUint(b, tallyLast, uint64(t.last))
	b = appendUint(b, tallySeq, t.seq)
	b = appendUint(b, tallyPending, t.pending)
	b = appendUint(b, tallyBlobs, t.blobs)
	b = appendUint(b, tallyStates, t.states)
	for kind, n := range t.past {
		b = appendUint(b, tallyPast+protowire.Number(kind), n)
	}
	return b
}

func readTally(b []byte) (t tally, err error) {
	f := fields{rest: b}
	for f.next() {
		switch {
		case f.num == tallySerial:
			t.serial = f.uint()
		case f.num == tallyLast:
			t.last = persist.ID(f.uint())
		case f.num == tallySeq:
			t.seq = f.uint()
		case f.num == tallyPending:
			t.pending = f.uint()
		case f.num == tallyBlobs:
			t.blobs = f.uint()
		case f.num == tallyStates:
			t.states = f.uint()
		case f.num >= tallyPast && known(persist.Ending(f.num-tallyPast)) && f.num < tallyPast+256:
			t.past[f.num-tallyPast] = f.uint()
		default:
			f.skip()
		}
	}
	return t, f.err
}

// The value of "format" and of each entry of past is one number.
const numberField protowire.Number = 1

func appendNumber(b []byte, v uint64) []byte { return appendUint(b, numberField, v) }

func readNumber(b []byte) (v uint64, err error) {
	f := fields{rest: b}
	for f.next() {
		switch f.num {
		case numberField:
			v = f.uint()
		default:
			f.skip()
		}
	}
	return v, f.err
}
