package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A source is one parsed Go file of the module.
type source struct {
	path string // from the module's root, with slashes
	fset *token.FileSet
	file *ast.File
}

// pkg returns the folder of s from the module's root; "." is the root itself.
func (s source) pkg() string { return path.Dir(s.path) }

// isTest reports whether s belongs to a test.
func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// finding says where in s a rule is broken, and how.
func (s source) finding(at token.Pos, format string, args ...any) string {
	return fmt.Sprintf("%s:%d: %s", s.path, s.fset.Position(at).Line, fmt.Sprintf(format, args...))
}

// imports reports whether s imports the package of that path.
func (s source) imports(importPath string) bool {
	for _, spec := range s.file.Imports {
		if unquote(spec) == importPath {
			return true
		}
	}
	return false
}

// uses calls found for each mention in s of a name that importPath exports and names
// holds. A mention is enough: a function kept in a variable is called elsewhere. A
// dot import hides its mentions, so it is reported itself, as ".".
func (s source) uses(importPath string, names map[string]bool, found func(at token.Pos, name string)) {
	local := ""
	for _, spec := range s.file.Imports {
		switch {
		case unquote(spec) != importPath:
		case spec.Name == nil:
			local = path.Base(importPath)
		case spec.Name.Name == ".":
			found(spec.Pos(), ".")
		default:
			local = spec.Name.Name
		}
	}
	if local == "" {
		return
	}

	ast.Inspect(s.file, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok || !names[selector.Sel.Name] {
			return true
		}
		if x, ok := selector.X.(*ast.Ident); ok && x.Name == local {
			found(selector.Pos(), selector.Sel.Name)
		}
		return true
	})
}

func unquote(spec *ast.ImportSpec) string {
	// The parser has accepted the literal, so it cannot be malformed.
	importPath, _ := strconv.Unquote(spec.Path.Value)
	return importPath
}

// parse reads one file; text nil means the file on disk at root.
func parse(root, name string, text any) (source, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, filepath.Join(root, filepath.FromSlash(name)), text, parser.SkipObjectResolution)
	if err != nil {
		return source{}, err
	}
	return source{path: name, fset: fset, file: file}, nil
}

// parsed is the module, read once for all tests.
var parsed = sync.OnceValues(func() ([]source, error) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		return nil, err
	}
	return parseTree(root)
})

func module(t *testing.T) []source {
	t.Helper()
	sources, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	if len(sources) == 0 {
		t.Fatal("no Go file found: the rules would hold of nothing")
	}
	return sources
}

// parseTree reads the Go files under root whatever their build constraints say, so
// that a rule holds on every platform.
func parseTree(root string) ([]source, error) {
	var sources []source
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name != root && skipped(name) {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}

		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		s, err := parse(root, filepath.ToSlash(rel), nil)
		if err != nil {
			return err
		}
		sources = append(sources, s)
		return nil
	})
	return sources, err
}

// skipped reports whether the go command, too, would leave the folder out of the
// module: not code, or a module of its own (the benchmarks against others are one).
func skipped(folder string) bool {
	base := filepath.Base(folder)
	if base == "testdata" || base == "vendor" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return true
	}
	_, err := os.Stat(filepath.Join(folder, "go.mod"))
	return err == nil
}
