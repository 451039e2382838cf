package main

import "fmt"

// A target is what a figure of ours may be at most: a number, or a multiple of a
// competitor's figure or of another line of ours.
type target struct {
	factor float64
	// of is the competitor whose figure in the same line is multiplied. Empty means
	// ours in another line, or that factor is the number itself.
	of string
	// among are competitors of which the best of those that were measured counts.
	among []string
	// work, figure and called say which other line.
	work, figure, called string
}

// atMost is an absolute target, in the unit of its line.
func atMost(limit float64) target { return target{factor: limit} }

// times is a target relative to a competitor.
func times(factor float64, competitor string) target { return target{factor: factor, of: competitor} }

// timesBest is a target relative to the best of some competitors.
func timesBest(factor float64, among ...string) target { return target{factor: factor, among: among} }

// timesLine is a target relative to ours in another line.
func timesLine(factor float64, work, figure, called string) target {
	return target{factor: factor, work: work, figure: figure, called: called}
}

// limit returns the number that our figure may not exceed; false if what it is
// relative to was not measured. Look returns the median of a competitor's figure.
func (t target) limit(c coordinates, look func(coordinates) (float64, bool)) (float64, bool) {
	switch {
	case len(t.among) > 0:
		return t.best(c, look)
	case t.of != "":
		c.competitor = t.of
	case t.work != "":
		c.work, c.figure = t.work, t.figure
	default:
		return t.factor, true
	}
	base, ok := look(c)
	return t.factor * base, ok
}

// best is limit for the best of some competitors.
func (t target) best(c coordinates, look func(coordinates) (float64, bool)) (limit float64, known bool) {
	for _, name := range t.among {
		got, ok := look(c.by(name))
		if ok && (!known || t.factor*got < limit) {
			limit, known = t.factor*got, true
		}
	}
	return limit, known
}

// text returns the target as people say it.
func (t target) text(unit string) string {
	switch {
	case len(t.among) > 0:
		return fmt.Sprintf("≤ %.3g × the best of the others", t.factor)
	case t.of != "":
		return fmt.Sprintf("≤ %.3g × %s", t.factor, t.of)
	case t.work != "":
		return fmt.Sprintf("≤ %.3g × %s", t.factor, t.called)
	}
	if t.factor >= 1000 {
		return "≤ " + number(t.factor) + " " + unit
	}
	return fmt.Sprintf("≤ %.3g %s", t.factor, unit)
}

// verdict says whether every target of a line is met: "met", "missed", "unknown" if that
// cannot be said because a cell is missing, and nothing where there is no target.
func verdict(targets []target, c coordinates, look func(coordinates) (float64, bool)) string {
	if len(targets) == 0 {
		return "–"
	}
	c.competitor = ours
	got, ok := look(c)
	if !ok {
		return "unknown"
	}
	said := "met"
	for _, t := range targets {
		limit, known := t.limit(c, look)
		switch {
		case !known:
			said = "unknown"
		case got > limit:
			return "missed"
		}
	}
	return said
}
