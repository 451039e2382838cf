package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// A report is everything that was measured.
type report struct {
	works   []work
	samples samples
	// erlang says whether it was there.
	erlang bool
	// verdicts says whether the figures are worth one.
	verdicts bool
}

// tables writes one table for each family of works.
func (r report) tables(w io.Writer) error {
	if !r.verdicts {
		if _, err := fmt.Fprint(w, "Tiny sizes: the figures mean nothing.\n\n"); err != nil {
			return err
		}
	}
	for _, family := range r.families() {
		if _, err := fmt.Fprintf(w, "## %s\n\n%s\n", family, render(r.table(family))); err != nil {
			return err
		}
	}
	return nil
}

// families returns the headings in the order of the works.
func (r report) families() []string {
	var all []string
	for _, w := range r.works {
		if !slices.Contains(all, w.family) {
			all = append(all, w.family)
		}
	}
	return all
}

// table returns the rows of one family, the heading first.
func (r report) table(family string) [][]string {
	columns := r.columns(family)
	withSuture := slices.Contains(columns, suturePeer)
	head := append([]string{"work", "unit"}, columns...)
	if withSuture {
		head = append(head, "ours ÷ suture")
	}
	rows := [][]string{append(head, "target", "verdict", "spread of ours")}
	for _, w := range r.works {
		if w.family != family {
			continue
		}
		for _, l := range w.lines {
			for _, procs := range w.settings() {
				rows = append(rows, r.row(w, l, procs, columns, withSuture))
			}
		}
	}
	return rows
}

// columns returns the competitors of a family in the order of the peers.
func (r report) columns(family string) []string {
	var names []string
	for _, p := range peers {
		if slices.ContainsFunc(r.works, func(w work) bool { return w.family == family && slices.Contains(w.by, p.name) }) {
			names = append(names, p.name)
		}
	}
	return names
}

func (r report) row(w work, l line, procs int, columns []string, withSuture bool) []string {
	at := coordinates{work: w.name, figure: l.figure, procs: procs}
	title := l.title
	if procs == 1 {
		title += ", one core"
	}
	row := []string{title, l.unit}
	for _, name := range columns {
		row = append(row, r.value(w, at.by(name)))
	}
	if withSuture {
		row = append(row, r.ratio(at.by(ours), at.by(suturePeer)))
	}
	said := "–"
	if r.verdicts {
		said = verdict(l.targets, at, r.samples.median)
	}
	return append(row, targetText(l), said, r.spread(l, at.by(ours)))
}

// by returns the coordinates of the same figure of a competitor.
func (c coordinates) by(competitor string) coordinates {
	c.competitor = competitor
	return c
}

// there reports whether a competitor could have been measured.
func (r report) there(w work, competitor string) bool {
	switch {
	case competitor == otp:
		return r.erlang
	case w.slow && !slowable():
		return false
	}
	return isThere(competitor)
}

// base returns the competitor to which the others are compared: what is written by hand.
func (w work) base() string {
	if slices.Contains(w.by, bboltPeer) {
		return bboltPeer
	}
	return bare
}

// value is what stands in a competitor's cell: the median, and its ratio to what is
// written by hand.
func (r report) value(w work, at coordinates) string {
	got, ok := r.samples.median(at)
	switch {
	case ok:
	case slices.Contains(w.by, at.competitor) && !r.there(w, at.competitor):
		return "absent"
	default:
		return "–"
	}
	base := w.base()
	if at.competitor == base {
		return number(got)
	}
	if ratio := r.ratio(at, at.by(base)); ratio != "–" {
		return number(got) + " (" + ratio + ")"
	}
	return number(got)
}

// ratio is the quotient of two medians.
func (r report) ratio(a, b coordinates) string {
	x, okA := r.samples.median(a)
	y, okB := r.samples.median(b)
	if !okA || !okB || y == 0 {
		return "–"
	}
	switch q := x / y; {
	case q >= 10:
		return fmt.Sprintf("%.0f", q)
	case q >= 1:
		return fmt.Sprintf("%.1f", q)
	default:
		return fmt.Sprintf("%.2g", q)
	}
}

// spread says how far our rounds lie apart. Of small counts, which may be zero, a
// share says nothing.
func (r report) spread(l line, at coordinates) string {
	values := r.samples[at]
	if len(values) < 2 || !slices.Contains([]string{"ns", "µs", "ms", "bytes"}, l.unit) {
		return "–"
	}
	return fmt.Sprintf("%.0f %%", 100*spread(values))
}

func targetText(l line) string {
	if len(l.targets) == 0 {
		return "–"
	}
	var all []string
	for _, t := range l.targets {
		all = append(all, t.text(l.unit))
	}
	return strings.Join(all, " and ")
}

// number has three digits or all before the point, whichever is more.
func number(v float64) string {
	switch a := math.Abs(v); {
	case a >= 1000:
		s := fmt.Sprintf("%.0f", v)
		for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
			s = s[:i] + "," + s[i:]
		}
		return s
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

// render makes a Markdown table that is also easy on the eye as plain text.
func render(rows [][]string) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, s := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(s))
		}
	}
	var b strings.Builder
	for n, row := range rows {
		for i, s := range row {
			b.WriteString("| " + s + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(s)+1))
		}
		b.WriteString("|\n")
		if n > 0 {
			continue
		}
		for _, width := range widths {
			b.WriteString("|" + strings.Repeat("-", width+2))
		}
		b.WriteString("|\n")
	}
	return b.String()
}
