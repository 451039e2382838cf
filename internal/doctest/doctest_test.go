package doctest

import (
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	// The documents are about these: when they change, a cached result is not used.
	_ "github.com/taskvisor/taskvisor/actor/tasks"
	_ "github.com/taskvisor/taskvisor/persist/boltstore"
	_ "github.com/taskvisor/taskvisor/persist/persisttest"
	_ "github.com/taskvisor/taskvisor/subscribers/console"
	_ "github.com/taskvisor/taskvisor/subscribers/oteltrace"
	_ "github.com/taskvisor/taskvisor/subscribers/prom"
	_ "github.com/taskvisor/taskvisor/subscribers/recorder"
	_ "github.com/taskvisor/taskvisor/subscribers/sloglog"
	_ "github.com/taskvisor/taskvisor/subscribers/zaplog"
	_ "github.com/taskvisor/taskvisor/supervisor"
	_ "github.com/taskvisor/taskvisor/supervisor/health"
	_ "github.com/taskvisor/taskvisor/supervisor/inspect"
	_ "github.com/taskvisor/taskvisor/supervisor/supervisortest"
	_ "github.com/taskvisor/taskvisor/supervisor/systemd"
)

const ours = "github.com/taskvisor/taskvisor/"

// known are the packages that a fragment may name without an import.
var known = map[string]string{
	"actor": ours + "actor", "controller": ours + "controller", "events": ours + "events", "policy": ours + "policy", "supervisor": ours + "supervisor",
	"persist": ours + "persist", "boltstore": ours + "persist/boltstore", "persisttest": ours + "persist/persisttest", "console": ours + "subscribers/console", "recorder": ours + "subscribers/recorder", "tasks": ours + "actor/tasks",
	"sloglog": ours + "subscribers/sloglog", "zaplog": ours + "subscribers/zaplog", "prom": ours + "subscribers/prom",
	"oteltrace": ours + "subscribers/oteltrace", "health": ours + "supervisor/health", "inspect": ours + "supervisor/inspect", "systemd": ours + "supervisor/systemd",
	"supervisortest": ours + "supervisor/supervisortest", "backoff": "github.com/cenkalti/backoff/v4", "zap": "go.uber.org/zap", "trace": "go.opentelemetry.io/otel/trace",
	"prometheus": "github.com/prometheus/client_golang/prometheus", "promhttp": "github.com/prometheus/client_golang/prometheus/promhttp",

	"context": "context", "errors": "errors", "fmt": "fmt", "http": "net/http", "json": "encoding/json", "log": "log", "net": "net",
	"os": "os", "slog": "log/slog", "synctest": "testing/synctest", "testing": "testing", "time": "time",
}

// A block is one block of Go in a document.
type block struct {
	file  string
	line  int    // of its first line of code
	given string // declarations that it may rely on
	code  string
}

var fenced = regexp.MustCompile("(?m)(?:^<!-- given: ([^>]*) -->\n)?^```go\n((?s:.*?))^```$")

// blocks finds the blocks in the text of a document.
func blocks(file, text string) (found []block) {
	for _, at := range fenced.FindAllStringSubmatchIndex(text, -1) {
		b := block{file: file, line: 1 + strings.Count(text[:at[4]], "\n"), code: text[at[4]:at[5]]}
		if at[2] >= 0 {
			b.given = text[at[2]:at[3]]
		}
		found = append(found, b)
	}
	return found
}

func (b block) isProgram() bool { return strings.HasPrefix(b.code, "package ") }

// parse makes a file of the block. Line directives make its errors point into the
// document.
func (b block) parse(fset *token.FileSet) (file *ast.File, err error) {
	parse := func(source string) (*ast.File, error) { return parser.ParseFile(fset, "", source, 0) }
	code := fmt.Sprintf("//line %s:%d\n%s", b.file, b.line, b.code)
	if b.isProgram() {
		return parse(code)
	}
	var given string
	if b.given != "" {
		given = fmt.Sprintf("//line %s:%d\n%s\n", b.file, b.line-2, b.given)
	}
	for _, form := range []string{code, "func _() {\n" + code + "\n}\n"} { // declarations, or else statements
		if file, err = parse("package p\n" + given + form); err == nil {
			return parse("package p\n" + imports(file) + given + form)
		}
	}
	return nil, err
}

// imports returns import declarations for the known packages that file names.
func imports(file *ast.File) string {
	decls := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		if selector, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := selector.X.(*ast.Ident); ok && known[x.Name] != "" {
				decls[x.Name] = fmt.Sprintf("import %q\n", known[x.Name])
			}
		}
		return true
	})
	var all strings.Builder
	for _, decl := range decls {
		all.WriteString(decl)
	}
	return all.String()
}

// check returns what is wrong with the blocks, each finding with file and line.
func check(t *testing.T, all []block) (findings []string) {
	t.Helper()
	fset := token.NewFileSet()
	files := make([]*ast.File, len(all))
	args := []string{"list", "-e", "-export", "-deps", "-f", "{{.ImportPath}}={{.Export}}", "unsafe"}
	for i, b := range all {
		if neat, err := format.Source([]byte(b.code)); err == nil && string(neat) != b.code {
			findings = append(findings, fmt.Sprintf("%s:%d: is not formatted as gofmt does", b.file, b.line))
		}
		var err error
		if files[i], err = b.parse(fset); err != nil {
			findings = append(findings, err.Error())
			continue
		}
		for _, spec := range files[i].Imports {
			args = append(args, strings.Trim(spec.Path.Value, "`\""))
		}
	}

	// The compiler has written down what packages export.
	list, err := exec.Command("go", args...).Output()
	if err != nil {
		t.Fatalf("go %s: %v", strings.Join(args, " "), err)
	}
	exported := map[string]string{}
	for line := range strings.Lines(string(list)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), "=")
		exported[path] = file
	}
	lib := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exported[path]) })

	for i, b := range all {
		if files[i] == nil {
			continue
		}
		conf := types.Config{Importer: lib, Error: func(err error) {
			var e types.Error
			if errors.As(err, &e) && e.Soft && !b.isProgram() {
				return // a fragment need not use all that it declares
			}
			findings = append(findings, err.Error())
		}}
		_, _ = conf.Check("p", fset, []*ast.File{files[i]}, nil) // Error was told
	}
	return findings
}

func TestTheCodeInTheDocumentsCompiles(t *testing.T) {
	docs, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []block
	for _, doc := range append(docs, "../../README.md") {
		text, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		found := blocks(strings.TrimPrefix(filepath.ToSlash(doc), "../../"), string(text))
		if n := strings.Count(string(text), "```go"); n != len(found) {
			t.Errorf("%s: %d fences of Go, but %d blocks: is one not closed, or indented?", doc, n, len(found))
		}
		all = append(all, found...)
	}
	for _, finding := range check(t, all) {
		t.Error(finding)
	}
}

func TestWhatIsWrongWithABlockIsFound(t *testing.T) {
	for _, row := range []struct{ says, doc, want string }{
		{"what is not given is not there", "```go\n_ = supervisor.Main(ctx)\n```\n", "x.md:2: undefined: ctx"},
		{"what is given is", "<!-- given: var ctx context.Context -->\n```go\n_ = supervisor.Main(ctx)\n```\n", ""},
		{"but only in its block", "<!-- given: var a int -->\n```go\na++\n```\n\n```go\na++\n```\n", "x.md:7: undefined: a"},
		{"and it is checked too", "<!-- given: var a nothing -->\n```go\na++\n```\n", "x.md:1: undefined: nothing"},
		{"a field must exist", "text\n\n```go\n_ = actor.Spec{\n\tNmae: \"db\",\n}\n```\n", "x.md:5: unknown field Nmae"},
		{"declarations are checked", "```go\nfunc f() error { return 1 }\n```\n", "x.md:2: cannot use 1"},
		{"a fragment need not use its variables", "```go\na := time.Second\n```\n", ""},
		{"a program must", "```go\npackage main\n\nfunc main() { a := 1 }\n```\n", "x.md:4: declared and not used: a"},
		{"and imports what it uses", "```go\npackage main\n\nvar _ = time.Second\n```\n", "x.md:4: undefined: time"},
		{"syntax is checked", "```go\nif {\n```\n", "x.md:2: missing condition"},
		{"so is the format", "```go\na:=1\n```\n", "x.md:2: is not formatted"},
		{"other languages are not", "```sh\nif {\n```\n", ""},
	} {
		got := strings.Join(check(t, blocks("x.md", row.doc)), "\n")
		if (row.want == "") != (got == "") || !strings.HasPrefix(got, row.want) {
			t.Errorf("%s:\n%s\ngives %q, want %q", row.says, row.doc, got, row.want)
		}
	}
}
