package storetest

import (
	"math/rand/v2"
	"testing"

	"github.com/taskvisor/taskvisor/persist"
)

// Crasher is what a backend may be that can be made to forget who uses it. Without it,
// what a store says of a crash is not played.
type Crasher interface {
	// Crash ends the use of the store that is open as the end of the process would: what
	// was committed is kept, and Close was not called. The old Store is not used any more.
	Crash()
}

// Doubter is what a backend may be that can be made to fail as a disk does that does not
// say what it has done. Without it, Settle is not played.
type Doubter interface {
	// UnknownNext makes the next commit end with persist.ErrUnknown, after it was done or
	// without.
	UnknownNext(committed bool)
}

// Histories is how many pseudo-random histories Run plays; a tenth of it with -short.
const Histories = 200

// Run plays all scenarios, and a number of histories, always the same. Each call of open
// makes a backend that is new and empty, and that lasts until the end of its test.
func Run(t *testing.T, open func(t *testing.T) persist.Backend) {
	for _, s := range scenarios() {
		t.Run(s.sentence, func(t *testing.T) {
			s.play(begin(t, open(t)))
		})
	}
	t.Run("a history of bytes is that of the reference", func(t *testing.T) {
		n := uint64(Histories)
		if testing.Short() {
			n /= 10
		}
		for seed := range n {
			Play(t, func() persist.Backend { return open(t) }, random(seed))
			if t.Failed() {
				t.Fatalf("the history was that of seed %d", seed)
			}
		}
	})
}

// Fuzz plays the histories that the fuzzer makes up.
func Fuzz(f *testing.F, open func(t *testing.T) persist.Backend) {
	for seed := range uint64(8) {
		f.Add(random(seed))
	}
	f.Fuzz(func(t *testing.T, history []byte) {
		Play(t, func() persist.Backend { return open(t) }, history)
	})
}

// Play plays one history against a memstore. If the answers differ, it fails the test and
// shows the shortest history that it can find in which they do; for that it calls open
// many times.
func Play(t testing.TB, open func() persist.Backend, history []byte) {
	t.Helper()
	moves := decode(history)
	m := play(open(), moves)
	if m.wrong == nil {
		return
	}
	m = shorten(open, moves, m)
	t.Errorf("%v\nafter\n%s\nof the history %x", m.wrong, m.story(), history)
}

// random returns a history for each seed.
func random(seed uint64) []byte {
	rnd := rand.New(rand.NewPCG(seed, 1))
	history := make([]byte, 20+rnd.IntN(300))
	for i := range history {
		history[i] = byte(rnd.Uint32())
	}
	return history
}
