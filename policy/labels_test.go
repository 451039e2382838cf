package policy

import (
	"encoding"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/taskvisor/taskvisor/internal/label"
)

// The labels are stable: this test is meant to fail when one is changed.
func TestLabels(t *testing.T) {
	declared := constants(t)
	walk(t, declared, restarts, "on_failure always never")
	walk(t, declared, exits, "succeeded finished failed fatal escalated panicked exited timed_out stalled stopped")
	walk(t, declared, giveUps, "leave escalate")
	walk(t, declared, panics, "restart escalate crash")
	walk(t, declared, stucks, "auto wait abandon escalate")
	walk(t, declared, decisions, "repeat retry complete give_up escalate halt")
	walk(t, declared, shapes, "exponential linear constant none")
	walk(t, declared, jitters, "equal none full decorrelated")

	for name := range declared {
		t.Errorf("the enum %s is not walked", name)
	}
}

type enum interface {
	~uint8
	fmt.Stringer
	encoding.TextMarshaler
}

// walk checks every value of T and takes T off the declared enums.
func walk[T enum, P interface {
	*T
	encoding.TextUnmarshaler
}](t *testing.T, declared map[string]int, table label.Table[T], want string) {
	t.Helper()
	var zero T
	name := strings.TrimPrefix(fmt.Sprintf("%T", zero), "policy.")
	values := table.Values()

	if len(values) != declared[name] {
		t.Errorf("%s has %d constants but %d labels", name, declared[name], len(values))
	}
	delete(declared, name)

	snake := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	seen := map[string]bool{}
	var have []string
	for _, v := range values {
		text, err := v.MarshalText()
		if err != nil || string(text) != v.String() {
			t.Errorf("%s %d: MarshalText gives %q, %v but String %q", name, uint8(v), text, err, v)
		}
		if !snake.MatchString(v.String()) || seen[v.String()] {
			t.Errorf("%s %d: label %q is not unique snake_case", name, uint8(v), v)
		}
		seen[v.String()] = true
		have = append(have, v.String())

		var back T
		if err := P(&back).UnmarshalText(text); err != nil || back != v {
			t.Errorf("%s %q comes back as %v, %v", name, text, back, err)
		}
	}
	if got := strings.Join(have, " "); got != want {
		t.Errorf("labels of %s:\n got %s\nwant %s", name, got, want)
	}

	unknown := T(200)
	if _, err := unknown.MarshalText(); err == nil {
		t.Errorf("%s 200 is marshalled", name)
	}
	kept := values[len(values)-1]
	if err := P(&kept).UnmarshalText([]byte("no such label")); err == nil || kept != values[len(values)-1] {
		t.Errorf("%s takes an unknown label: %v, %v", name, kept, err)
	}
}

// constants counts the exported constants of every enum, as the source has them.
func constants(t *testing.T) map[string]int {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}

	counts := map[string]int{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if block, ok := d.(*ast.GenDecl); ok && block.Tok == token.CONST {
				count(counts, block)
			}
		}
	}
	return counts
}

// count adds a block of constants if it is an enum's: its first value is an iota.
func count(counts map[string]int, block *ast.GenDecl) {
	first := block.Specs[0].(*ast.ValueSpec)
	typ, typed := first.Type.(*ast.Ident)
	if !typed || len(first.Values) != 1 {
		return
	}
	if value, ok := first.Values[0].(*ast.Ident); !ok || value.Name != "iota" {
		return
	}
	for _, s := range block.Specs {
		for _, n := range s.(*ast.ValueSpec).Names {
			if n.IsExported() {
				counts[typ.Name]++
			}
		}
	}
}
