package storetest

import (
	"slices"
	"time"

	"github.com/taskvisor/taskvisor/persist"
)

// patience is for how long a shorter history is looked for.
const patience = 3 * time.Second

// shorten leaves out what can be left out while the answers still differ: moves from the
// end to the beginning, steps of commits, and doubts, until nothing can be left out any
// more.
func shorten(open func() persist.Backend, moves []move, failed *match) *match {
	begun := time.Now()
	differs := func(shorter []move) bool {
		if time.Since(begun) > patience {
			return false
		}
		m := play(open(), shorter)
		if m.wrong == nil {
			return false
		}
		moves, failed = shorter, m
		return true
	}
	for again := true; again; {
		again = false
		for size := len(moves) / 2; size > 0; size /= 2 {
			for i := len(moves) - size; i >= 0; i -= size {
				if differs(slices.Delete(slices.Clone(moves), i, i+size)) {
					again = true
				}
			}
		}
		for i := range moves {
			if moves[i].act == doubt {
				shorter := slices.Clone(moves)
				shorter[i].act = commit
				again = differs(shorter) || again
			}
			for k := len(moves[i].steps) - 1; k >= 0; k-- {
				shorter := slices.Clone(moves)
				shorter[i].steps = slices.Delete(slices.Clone(moves[i].steps), k, k+1)
				again = differs(shorter) || again
			}
		}
	}
	return failed
}
