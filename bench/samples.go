package main

// coordinates say which figure is meant.
type coordinates struct {
	work       string
	figure     string
	competitor string
	procs      int // GOMAXPROCS; zero is all cores
}

// samples are the figures of all rounds.
type samples map[coordinates][]float64

// add keeps what one cell has measured.
func (s samples) add(c cell, f figures) {
	for name, v := range f {
		at := coordinates{work: c.work.name, figure: name, competitor: c.competitor, procs: c.procs}
		s[at] = append(s[at], v)
	}
}

// median returns the median over the rounds, and whether there is one.
func (s samples) median(c coordinates) (float64, bool) {
	values := s[c]
	return median(values), len(values) > 0
}
