package boltstore

import (
	"testing"

	"github.com/taskvisor/taskvisor/persist"
)

// What passes through leaves a file of the size of what was there at a time.
func TestTheFileIsBoundedByWhatIsInIt(t *testing.T) {
	t.Parallel()
	s := open(t, newPath(t), Options{NoSync: true})
	mustRead(t, s)
	const depth, group = 1000, 100
	total := persist.ID(100_000)
	if testing.Short() {
		total /= 5
	}
	for id := persist.ID(1); id <= total; id += group {
		var steps []persist.Step
		for i := id; i < id+group; i++ {
			size := 256
			if i%50 == 0 {
				size = 6000
			}
			steps = append(steps, insert(i, size))
			if done := i - depth/2; i > depth/2 {
				steps = append(steps, resolve(done, persist.Endings()[done%2]))
			}
		}
		steps = append(steps, prune(persist.Completed, max(0, int(s.tally.past[persist.Completed])-depth/4)),
			prune(persist.Failed, max(0, int(s.tally.past[persist.Failed])-depth/4)))
		commit(t, s, steps...)
	}
	check(t, s)
	u := s.Usage()
	if u.Bytes > 8<<20 {
		t.Errorf("%d bytes", u.Bytes)
	}
	before := s.Stats()
	commit(t, s, insert(total+1, 256))
	if n := s.Stats().Written - before.Written; n > 32<<10 {
		t.Errorf("a commit of one job writes %d bytes", n)
	}
	t.Logf("%+v", s.Stats())
}
