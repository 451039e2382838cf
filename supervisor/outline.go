package supervisor

import (
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Texts for people are bounded, whatever the tree: a log line is no database.
const (
	maxShown  = 100  // children of one supervisor that have a line each
	maxDull   = 10   // of these that are like all others, if not all children have one
	maxLines  = 2000 // of a text; from there on all the rest is summed up
	maxQuote  = 80   // runes of an error's first line
	maxColumn = 48   // how wide a column is made for its longest cell
)

// What draws the tree: left of one of several, and of the last; and below each.
const (
	branch, trunk = "├─ ", "│  "
	corner, blank = "└─ ", "   "
)

// outline is a tree as text. Lines of more than one cell are aligned with each other.
type outline struct {
	lines [][]string
}

func (o *outline) add(cells ...string) { o.lines = append(o.lines, cells) }

// full says that what comes next is better summed up.
func (o *outline) full() bool { return len(o.lines) >= maxLines }

// String returns the text, without a line break at its end.
func (o *outline) String() string {
	var b strings.Builder
	o.write(&b)
	return strings.TrimSuffix(b.String(), "\n")
}

func (o *outline) write(w io.StringWriter) {
	var widths []int
	for _, cells := range o.lines {
		for i, cell := range cells[:len(cells)-1] { // the last is as long as it is
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], min(utf8.RuneCountInString(cell), maxColumn))
		}
	}
	var line strings.Builder
	for _, cells := range o.lines {
		line.Reset()
		for i, cell := range cells {
			line.WriteString(cell)
			if i < len(cells)-1 {
				line.WriteString(strings.Repeat(" ", max(widths[i]-utf8.RuneCountInString(cell), 0)+2))
			}
		}
		_, _ = w.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

// pick returns the indices below n of what has a line of its own: all if they are few,
// else those of the lowest ranks, which are 0 to maxRank.
func pick(n int, rank func(i int) int) []int {
	picked := make([]int, 0, min(n, maxShown))
	if n <= maxShown {
		for i := range n {
			picked = append(picked, i)
		}
		return picked
	}
	for of := range maxRank + 1 {
		room := maxShown
		if of == maxRank {
			room = min(room, len(picked)+maxDull)
		}
		for i := 0; i < n && len(picked) < room; i++ {
			if rank(i) == of {
				picked = append(picked, i)
			}
		}
	}
	return picked
}

// maxRank is the rank of what is like all others.
const maxRank = 3

// brief rounds a duration to what is worth reading.
func brief(d time.Duration) string {
	switch {
	case d < 0:
		d = 0
	case d < time.Second:
		d = d.Round(time.Millisecond)
	case d < time.Minute:
		d = d.Round(100 * time.Millisecond)
	default:
		d = d.Round(time.Second)
	}
	return d.String()
}

// count is a number of things, such as "1 restart" or "12,000 restarts".
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return thousands(n) + " " + thing
}

// thousands writes a number in groups of three digits.
func thousands(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// quote returns the beginning of the first line of a text, in quotes.
func quote(text string) string { return strconv.Quote(shorten(firstLine(text), maxQuote)) }

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimLeft(text, " \t\r\n"), "\n")
	return line
}

// shorten cuts a text off after n runes.
func shorten(text string, n int) string {
	for i := range text {
		if n--; n < 0 {
			return text[:i] + "…"
		}
	}
	return text
}
