package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
)

// figures are what one cell has measured, by name.
type figures map[string]float64

// A work is what the competitors are given to do. One cell of it may measure several
// figures, and each of them is a line of the table.
type work struct {
	// name is what -run matches and the first half of a cell's name.
	name string
	// family is the heading of the table that the lines are in.
	family string
	// how says how it is measured, for the document.
	how string
	// by are the competitors that have a notion of it.
	by []string
	// procs are the values of GOMAXPROCS to measure with; zero is all cores, and none
	// means only that.
	procs []int
	// slow says that each sync of a file takes longer than it does.
	slow bool
	// rounds bounds how often it is measured; zero is as often as the others.
	rounds int
	lines  []line
	// measure does the work in this process. Erlang's cells are not measured by it.
	measure func(p peer, size scale) (figures, error)
}

// A line is one row of a table.
type line struct {
	figure  string
	title   string
	unit    string
	targets []target
}

// scale is how large the works are.
type scale struct {
	quick bool
	// many is the number of idle children, or of submissions, in the works about 100k.
	many int
	// crowd is the number of children in the works about 10k.
	crowd int
	// group is the number of children that are restarted together.
	group int
	// restarts is the number of restarts over which the heap may not grow.
	restarts int
	// jobs is the number of jobs that are drained from a durable queue.
	jobs int
	// pending is the number of jobs that wait in a durable queue, in the works about a million.
	pending int
	// delayed is the number of jobs, and groups the number of groups, that stand before
	// others in a durable queue.
	delayed, groups int
	// passing is the number of jobs that pass through a short queue.
	passing int
	// spell is how long a loop is measured.
	spell time.Duration
	// still is how long idle children are watched.
	still time.Duration
}

var (
	full = scale{
		many: 100_000, crowd: 10_000, group: 1000, restarts: 1_000_000,
		jobs: 20_000, pending: 1_000_000, delayed: 200_000, groups: 10_000, passing: 200_000,
		spell: 400 * time.Millisecond, still: 5 * time.Second,
	}
	tiny = scale{
		quick: true,
		many:  1000, crowd: 200, group: 50, restarts: 2000,
		jobs: 200, pending: 2000, delayed: 200, groups: 20, passing: 4000,
		spell: 5 * time.Millisecond, still: 20 * time.Millisecond,
	}
)

// works returns all works in the order of the tables.
func works() []work {
	return slices.Concat(childrenWorks(), restartWorks(), shotWorks(), groupWorks(), stillWorks(),
		costWorks(), busWorks(), controlWorks(), ancestorWorks(), ancestorControlWorks(), queueWorks())
}

// A way is one of several things that are measured in turn in one process, so that a small
// difference shows.
type way func() (figures, error)

// inTurn measures all ways as often as it is said, another one first each time, and
// returns the medians.
func inTurn(turns int, ways ...way) (figures, error) {
	taken := map[string][]float64{}
	for turn := range turns {
		for _, measure := range rotated(ways, turn) {
			runtime.GC() // what the one before has left is not for this one to collect
			f, err := measure()
			if err != nil {
				return nil, err
			}
			for name, v := range f {
				taken[name] = append(taken[name], v)
			}
		}
	}
	got := figures{}
	for name, values := range taken {
		got[name] = median(values)
	}
	return got, nil
}

// allCores is the only element of procs for a work that is measured on all cores.
var allCores = []int{0}

func (w work) settings() []int {
	if len(w.procs) == 0 {
		return allCores
	}
	return w.procs
}

// findCell finds what the name of a cell stands for.
func findCell(name string) (work, peer, error) {
	first, second, _ := strings.Cut(name, ":")
	for _, w := range works() {
		if w.name != first || !slices.Contains(w.by, second) {
			continue
		}
		for _, p := range peers {
			if p.name == second && p.name != otp {
				return w, p, nil
			}
		}
	}
	return work{}, peer{}, fmt.Errorf("no cell %q in this program", name)
}
