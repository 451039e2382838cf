package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"slices"
	"strings"
)

// An importRow says what the package pkg may import besides the standard library.
// Packages of ours are written from the module's root. "x/..." is x and everything
// below it, and "..." is everything.
type importRow struct {
	pkg     string
	ours    []string
	modules []string // third-party modules, each with all of its packages
	reason  string
}

// A fileRow names a file that has leave to do what others may not.
type fileRow struct {
	path   string // from the module's root, with slashes
	reason string
}

// checkImports reports each import of a non-test file that its package's row does not
// allow, and each package that has no row.
func checkImports(sources []source, table []importRow) []string {
	var findings []string
	for _, s := range sources {
		if s.isTest() {
			continue
		}
		row, ok := rowOf(table, s.pkg())
		if !ok {
			findings = append(findings, s.finding(s.file.Package,
				"package %s is not in the import table: add a row with its reason to internal/archtest/arch_test.go", s.pkg()))
			continue
		}
		for _, spec := range s.file.Imports {
			if importPath := unquote(spec); !row.allows(importPath) {
				findings = append(findings, s.finding(spec.Pos(),
					"package %s may not import %s: %s", s.pkg(), importPath, row.reason))
			}
		}
	}
	return findings
}

// rowOf returns the row whose pattern fits pkg most closely.
func rowOf(table []importRow, pkg string) (best importRow, ok bool) {
	for _, row := range table {
		if row.pkg == pkg {
			return row, true
		}
		if matches(row.pkg, pkg) && len(row.pkg) > len(best.pkg) {
			best, ok = row, true
		}
	}
	return best, ok
}

func (r importRow) allows(importPath string) bool {
	if rel, ok := ours(importPath); ok {
		return slices.ContainsFunc(r.ours, func(p string) bool { return matches(p, rel) })
	}
	// As in the go command, only a module path has a dot in its first element.
	if first, _, _ := strings.Cut(importPath, "/"); !strings.Contains(first, ".") {
		return true
	}
	return slices.ContainsFunc(r.modules, func(m string) bool {
		return m == "..." || matches(m+"/...", importPath)
	})
}

// ours returns importPath from the module's root, if it is one of ours.
func ours(importPath string) (rel string, ok bool) {
	if importPath == modulePath {
		return ".", true
	}
	return strings.CutPrefix(importPath, modulePath+"/")
}

// matches reports whether name is what pattern names.
func matches(pattern, name string) bool {
	if pattern == "..." {
		return true
	}
	if parent, ok := strings.CutSuffix(pattern, "/..."); ok {
		return name == parent || strings.HasPrefix(name, parent+"/")
	}
	return name == pattern
}

// checkGoroutines reports each goroutine started in a non-test file that is not
// listed, and each listed file that starts none.
func checkGoroutines(sources []source, allowed []fileRow, exempt []string) []string {
	var findings []string
	stale := make(map[string]bool)
	for _, row := range allowed {
		stale[row.path] = true
	}

	for _, s := range sources {
		if s.isTest() || slices.ContainsFunc(exempt, func(p string) bool { return matches(p, s.pkg()) }) {
			continue
		}
		listed := slices.ContainsFunc(allowed, func(r fileRow) bool { return r.path == s.path })
		starts := goroutineStarts(s)
		if len(starts) > 0 {
			delete(stale, s.path)
		}
		if listed {
			continue
		}
		for _, at := range starts {
			findings = append(findings, s.finding(at,
				"starts a goroutine: hang a spec instead, or list the file with its reason in internal/archtest/arch_test.go"))
		}
	}

	for _, name := range slices.Sorted(maps.Keys(stale)) {
		findings = append(findings, fmt.Sprintf(
			"%s:1: is listed in internal/archtest/arch_test.go but is missing or starts no goroutine: delete its row", name))
	}
	return findings
}

// goroutineStarts returns where s has a go statement or its disguise: a call x.Go(f),
// as of a sync.WaitGroup or of an error group.
func goroutineStarts(s source) []token.Pos {
	var starts []token.Pos
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			starts = append(starts, n.Pos())
		case *ast.CallExpr:
			selector, ok := n.Fun.(*ast.SelectorExpr)
			if ok && selector.Sel.Name == "Go" && len(n.Args) == 1 {
				starts = append(starts, n.Pos())
			}
		}
		return true
	})
	return starts
}

// clocks lists by package what tells the time or waits for it. Durations, and times
// that somebody else read, are values and are free.
var clocks = map[string]map[string]bool{
	"time":    set("Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"),
	"context": set("WithTimeout", "WithTimeoutCause", "WithDeadline", "WithDeadlineCause"),
}

// effects lists the packages that have no place in a pure one.
var effects = []string{"log/...", "os/..."}

// checkPure reports each clock, log and use of the process in a non-test file of the
// packages.
func checkPure(sources []source, packages []string) []string {
	var findings []string
	for _, s := range sources {
		if s.isTest() || !slices.Contains(packages, s.pkg()) {
			continue
		}
		for _, importPath := range slices.Sorted(maps.Keys(clocks)) {
			s.uses(importPath, clocks[importPath], func(at token.Pos, name string) {
				findings = append(findings, s.finding(at,
					"package %s is pure and may not use %s.%s: let the caller pass the time", s.pkg(), importPath, name))
			})
		}
		for _, spec := range s.file.Imports {
			importPath := unquote(spec)
			if slices.ContainsFunc(effects, func(p string) bool { return matches(p, importPath) }) {
				findings = append(findings, s.finding(spec.Pos(),
					"package %s is pure and may not import %s: return the effect instead", s.pkg(), importPath))
			}
		}
	}
	return findings
}

// checkSleeps reports each time.Sleep, which wastes real time and proves nothing,
// save in test files that use testing/synctest: in a bubble it costs nothing.
func checkSleeps(sources []source) []string {
	var findings []string
	for _, s := range sources {
		if s.isTest() && s.imports("testing/synctest") {
			continue
		}
		s.uses("time", set("Sleep"), func(at token.Pos, name string) {
			findings = append(findings, s.finding(at,
				"uses time.%s: wait for what must happen, or test it in a testing/synctest bubble", name))
		})
	}
	return findings
}

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, name := range names {
		m[name] = true
	}
	return m
}
