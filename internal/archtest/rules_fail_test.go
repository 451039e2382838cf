package archtest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A rule that cannot fail guards nothing, so each one is shown sources that break it
// beside sources that keep it.
func TestEachRuleCanFail(t *testing.T) {
	table := []importRow{
		{pkg: "low", modules: []string{"example.org/backoff/v4"}, reason: "low is low"},
		{pkg: "high", ours: []string{"low", "mid/..."}, reason: "high is high"},
		{pkg: "tree/...", reason: "the tree"},
		{pkg: "tree/odd", ours: []string{"low"}, reason: "one branch may"},
		{pkg: "shows/...", ours: []string{"..."}, modules: []string{"..."}, reason: "shows all"},
	}
	importing := func(sources []source) []string { return checkImports(sources, table) }
	starting := func(sources []source) []string {
		return checkGoroutines(sources, []fileRow{{"low/run.go", "it runs"}}, []string{"shows/..."})
	}
	clockless := func(sources []source) []string { return checkPure(sources, []string{"low"}) }
	sleepless := checkSleeps

	// The texts are by path; want holds the beginning of each finding, sorted.
	const listed = "package low\nfunc f() { go f() }"
	for _, test := range []struct {
		name  string
		rule  func([]source) []string
		files map[string]string
		want  []string
	}{
		{"a package may import what its row names", importing, map[string]string{
			"high/a.go": `package high; import ("fmt"; "net/http"; _ "` + modulePath + `/low"; _ "` + modulePath + `/mid/deep")`,
			"low/a.go":  `package low; import "example.org/backoff/v4"; import "example.org/backoff/v4/inner"`,
		}, nil},
		{"an import against the direction", importing, map[string]string{
			"low/a.go": "package low\nimport (\n\"fmt\"\n\"" + modulePath + "/high\"\n)",
		}, []string{"low/a.go:4: package low may not import " + modulePath + "/high: low is low"}},
		{"a third party that the row does not name", importing, map[string]string{
			"high/a.go": "package high\nimport \"example.org/backoff/v4\"",
			"low/a.go":  "package low\nimport \"example.org/backoff/v45\"",
		}, []string{"high/a.go:2: package high may not", "low/a.go:2: package low may not"}},
		{"a name that only begins like an allowed one", importing, map[string]string{
			"high/a.go": "package high\nimport \"" + modulePath + "/lower\"",
		}, []string{"high/a.go:2: package high may not"}},
		{"the root of the module is a package like any other", importing, map[string]string{
			"high/a.go": "package high\nimport \"" + modulePath + "\"",
		}, []string{"high/a.go:2: package high may not"}},
		{"the closest row decides", importing, map[string]string{
			"tree/odd/a.go":  "package odd\nimport \"" + modulePath + "/low\"",
			"tree/even/a.go": "package even\nimport \"" + modulePath + "/low\"",
		}, []string{"tree/even/a.go:2: package tree/even may not"}},
		{"everything may be shown", importing, map[string]string{
			"shows/one/a.go": `package main; import ("example.net/any"; "` + modulePath + `/high")`,
		}, nil},
		{"a package without a row", importing, map[string]string{
			"new/a.go": "// Package new.\npackage new",
		}, []string{"new/a.go:2: package new is not in the import table: add a row"}},
		{"tests import what they like", importing, map[string]string{
			"low/a_test.go": `package low; import "` + modulePath + `/high"`,
		}, nil},

		{"a go statement outside the list", starting, map[string]string{
			"low/run.go": listed,
			"low/b.go":   "package low\nfunc g() {\n\tgo func() {}()\n}",
		}, []string{"low/b.go:3: starts a goroutine"}},
		{"a go statement without the keyword", starting, map[string]string{
			"low/run.go": listed,
			"low/b.go":   "package low\nimport \"sync\"\nfunc g(wg *sync.WaitGroup) {\n\twg.Go(f)\n}",
		}, []string{"low/b.go:4: starts a goroutine"}},
		{"tests and exempt packages start what they like", starting, map[string]string{
			"low/run.go":     listed,
			"low/b_test.go":  listed,
			"shows/one/a.go": "package main\nfunc main() { go main() }",
		}, nil},
		{"a listed file that starts none", starting, map[string]string{
			"low/run.go": "package low",
		}, []string{"low/run.go:1: is listed"}},
		{"a listed file that is missing", starting, nil, []string{"low/run.go:1: is listed"}},

		{"a pure package calls a clock", clockless, map[string]string{
			"low/a.go": "package low\nimport \"time\"\nvar t = time.Now()\nvar d = time.Since(t)\nvar c = time.After(d)",
		}, []string{"low/a.go:3: package low is pure and may not use time.Now", "low/a.go:4: ", "low/a.go:5: "}},
		{"a pure package hides a clock", clockless, map[string]string{
			"low/alias.go":   "package low\nimport clock \"time\"\nvar now = clock.Now",
			"low/dot.go":     "package low\nimport . \"time\"\nvar now = Now()",
			"low/context.go": "package low\nimport \"context\"\nvar with = context.WithTimeout",
		}, []string{"low/alias.go:3: ", "low/context.go:3: ", "low/dot.go:2: "}},
		{"a pure package logs or looks at the process", clockless, map[string]string{
			"low/a.go": "package low\nimport (\n\"log\"\n\"log/slog\"\n\"os\"\n\"os/exec\"\n)",
		}, []string{"low/a.go:3: ", "low/a.go:4: ", "low/a.go:5: ", "low/a.go:6: "}},
		{"times as values are free, and so are the tests", clockless, map[string]string{
			"low/a.go":      "package low\nimport \"time\"\nfunc f(now time.Time) bool { return now.After(now.Add(time.Second)) }",
			"low/a_test.go": "package low\nimport \"time\"\nvar t = time.Now()",
			"high/a.go":     "package high\nimport \"time\"\nvar t = time.Now()",
		}, nil},

		{"a sleep in a test", sleepless, map[string]string{
			"low/a_test.go": "package low\nimport \"time\"\nfunc f() {\n\ttime.Sleep(1)\n}",
		}, []string{"low/a_test.go:4: uses time.Sleep"}},
		{"a sleep in code, synctest or not", sleepless, map[string]string{
			"low/a.go":       "package low\nimport (\"time\"; \"testing/synctest\")\nvar nap = time.Sleep",
			"shows/one/a.go": "package main\nimport \"time\"\nfunc main() { time.Sleep(1) }",
		}, []string{"low/a.go:3: uses time.Sleep", "shows/one/a.go:3: uses time.Sleep"}},
		{"a sleep in a bubble", sleepless, map[string]string{
			"low/a_test.go": "package low\nimport (\"time\"; \"testing/synctest\")\nfunc f() { synctest.Wait(); time.Sleep(1) }",
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := test.rule(parseTexts(t, test.files))
			slices.Sort(got)
			same := slices.EqualFunc(got, test.want, strings.HasPrefix)
			if !same {
				t.Errorf("findings:\n  %s\nwant, as prefixes:\n  %s",
					strings.Join(got, "\n  "), strings.Join(test.want, "\n  "))
			}
		})
	}
}

func TestTheWalkSkipsWhatIsNotOfTheModule(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":             "module m",
		"a/a.go":             "package a",
		"a/a_other.go":       "//go:build ignore\n\npackage a",
		"a/README.md":        "not Go",
		"a/testdata/bad.go":  "not Go either",
		"bench/go.mod":       "module m/bench",
		"bench/deep/bad.go":  "not Go either",
		".hidden/bad.go":     "not Go either",
		"_aside/bad.go":      "not Go either",
		"vendor/x/bad.go":    "not Go either",
		"a/b/inner_test.go":  "package b_test",
		"a/b/c/testdata.go":  "package c",
		"a/b/c/d/go.mod.txt": "not a module",
		"a/b/c/d/d.go":       "package d",
	} {
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}

	sources, err := parseTree(root)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range sources {
		got = append(got, s.path)
	}
	slices.Sort(got)
	want := []string{"a/a.go", "a/a_other.go", "a/b/c/d/d.go", "a/b/c/testdata.go", "a/b/inner_test.go"}
	if !slices.Equal(got, want) {
		t.Errorf("walked %q, want %q", got, want)
	}
}

func parseTexts(t *testing.T, files map[string]string) []source {
	t.Helper()
	var sources []source
	for name, text := range files {
		s, err := parse("", name, text)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, s)
	}
	return sources
}
