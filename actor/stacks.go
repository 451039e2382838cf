package actor

import (
	"bytes"
	"fmt"
	"runtime/pprof"
	"strconv"
	"strings"
)

// Goroutine is one goroutine of a task, or several that are at the same place.
type Goroutine struct {
	// Path of the task.
	Path string
	// Label is the value of the goroutine's label, see [Label].
	Label string
	// Count is how many goroutines have this stack.
	Count int
	// Stack has a line per frame, innermost first: function, file and line.
	Stack string
}

// String says how many goroutines are where, with an indented line per frame.
func (g Goroutine) String() string {
	many := "goroutines"
	if g.Count == 1 {
		many = "goroutine"
	}
	stack := strings.TrimSpace(g.Stack)
	if i := strings.Index(stack, "\n"+ownFrames); i > 0 {
		stack = stack[:i] // below are the library's own, the same for all
	}
	return fmt.Sprintf("%d %s at\n\t%s", g.Count, many, strings.ReplaceAll(stack, "\n", "\n\t"))
}

// ownFrames is how the functions begin that call a task.
const ownFrames = "github.com/taskvisor/taskvisor/actor.(*A"

// Tree returns the number of the tree that the task belongs to.
func (g Goroutine) Tree() uint64 {
	_, id, _ := cutLast(g.Label, "#")
	tree, _, _ := strings.Cut(id, ".")
	n, _ := strconv.ParseUint(tree, 10, 64)
	return n
}

// Calls reports whether the name of a function in the stack begins with one of
// the prefixes.
func (g Goroutine) Calls(prefixes ...string) bool {
	for line := range strings.Lines(g.Stack) {
		for _, p := range prefixes {
			if p != "" && strings.HasPrefix(line, p) {
				return true
			}
		}
	}
	return false
}

// Goroutines returns the goroutines of all tasks of the process, read from one
// goroutine profile. Goroutines that a task has started are among them, since
// labels are inherited. A profile stops the program for a moment that grows
// with the number of its goroutines: about a second at 100,000.
func Goroutines() []Goroutine {
	var b bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&b, 1); err != nil {
		return nil // a bytes.Buffer does not fail
	}
	return parseProfile(b.String())
}

// parseProfile reads the text form of a goroutine profile: blocks set apart by
// empty lines, each a line "count @ addresses", a line "# labels: {...}" if it
// has any, and a line per frame.
func parseProfile(text string) []Goroutine {
	var gs []Goroutine
	for block := range strings.SplitSeq(text, "\n\n") {
		lines := strings.Split(strings.TrimSpace(block), "\n")
		if len(lines) > 0 && strings.HasPrefix(lines[0], "goroutine profile:") {
			lines = lines[1:]
		}
		if len(lines) < 2 {
			continue
		}
		label, ok := labelIn(lines[1])
		if !ok {
			continue
		}
		count, _, _ := strings.Cut(lines[0], " ")
		n, err := strconv.Atoi(count)
		path, _, ours := cutLast(label, "#")
		if err != nil || n < 1 || !ours {
			continue
		}
		gs = append(gs, Goroutine{Path: path, Label: label, Count: n, Stack: frames(lines[2:])})
	}
	return gs
}

// labelIn finds the task's label in a line of quoted pairs.
func labelIn(line string) (string, bool) {
	rest, ok := strings.CutPrefix(line, "# labels: {")
	for ok && rest != "" {
		var key, value string
		if key, rest, ok = quoted(rest); !ok {
			break
		}
		rest = strings.TrimPrefix(rest, ":")
		if value, rest, ok = quoted(rest); !ok {
			break
		}
		if key == Label {
			return value, true
		}
		rest = strings.TrimLeft(rest, ", ")
	}
	return "", false
}

func quoted(s string) (value, rest string, ok bool) {
	q, err := strconv.QuotedPrefix(s)
	if err != nil {
		return "", s, false
	}
	value, err = strconv.Unquote(q)
	return value, s[len(q):], err == nil
}

// frames drops the addresses: "#\t0x4a\tmain.work+0x12\t/src/main.go:7".
func frames(lines []string) string {
	var b strings.Builder
	for _, line := range lines {
		fields := strings.FieldsFunc(strings.TrimPrefix(line, "#"), func(r rune) bool { return r == '\t' })
		if len(fields) < 3 {
			continue
		}
		fn, _, _ := strings.Cut(fields[1], "+0x")
		fmt.Fprintf(&b, "%s %s\n", fn, fields[len(fields)-1])
	}
	return b.String()
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// where formats goroutines for the end of an error's text.
func where(gs []Goroutine) string {
	var b strings.Builder
	for _, g := range gs {
		b.WriteString("\n" + g.String())
	}
	return b.String()
}
