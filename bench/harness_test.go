package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestMain lets the test binary be the cell that the harness starts.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args[1:], "-cell") {
		if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// mayBeZero are the figures of which nothing at all is a good result.
var mayBeZero = map[string]bool{"cpu": true, "lost": true, "allocs": true, "growth": true}

func TestEveryCellMeasuresEveryFigureOfItsLines(t *testing.T) {
	r, err := newRunner(tiny, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.close(); err != nil {
			t.Error(err)
		}
	}()
	for _, c := range roundOf(works(), 0) {
		t.Run(c.String(), func(t *testing.T) {
			if !r.there(c) {
				t.Skip("what it needs is not there")
			}
			f, err := r.one(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range c.work.lines {
				v, ok := f[l.figure]
				switch {
				case !ok && c.competitor == otp && l.figure == "allocs":
					// Erlang does not count allocations.
				case !ok:
					t.Errorf("%s is missing in %v", l.figure, f)
				case v <= 0 && !mayBeZero[l.figure]:
					t.Errorf("%s = %v, want more than nothing", l.figure, v)
				}
			}
		})
	}
}

func TestEveryLineHasOneMeaning(t *testing.T) {
	seen := map[coordinates]bool{}
	for _, w := range works() {
		if w.how == "" || len(w.lines) == 0 {
			t.Errorf("%s does not say how it is measured, or what", w.name)
		}
		for _, l := range w.lines {
			at := coordinates{work: w.name, figure: l.figure}
			if seen[at] {
				t.Errorf("%s: %s twice", w.name, l.figure)
			}
			seen[at] = true
			for _, target := range l.targets {
				for _, of := range append(target.among, target.of) {
					if of != "" && !slices.Contains(w.by, of) {
						t.Errorf("%s: the target is relative to %s, which is not measured", w.name, of)
					}
				}
			}
		}
	}
	for _, w := range works() {
		for _, l := range w.lines {
			for _, target := range l.targets {
				if target.work != "" && !seen[coordinates{work: target.work, figure: target.figure}] {
					t.Errorf("%s: the target is relative to %s, which does not exist", w.name, target.work)
				}
			}
		}
	}
}

func TestARunWritesTablesAndDocument(t *testing.T) {
	file := filepath.Join(t.TempDir(), "benchmarks.md")
	var stdout bytes.Buffer
	if err := run([]string{"-quick", "-rounds", "2", "-run", "^(publish-1|shot)$", "-o", file}, &stdout, io.Discard); err != nil {
		t.Fatal(err)
	}
	document, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"one-shot child", "Publish, 1 subscriber", "channels", "Tiny sizes"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("%q is missing in the tables:\n%s", want, stdout.String())
		}
	}
	for _, want := range []string{
		"# Benchmarks", runtime.Version(), "github.com/thejerf/suture/v4 v4", "each of 2 rounds", "- **shot**: ", "- **suture**: ",
	} {
		if !bytes.Contains(document, []byte(want)) {
			t.Errorf("%q is missing in the document", want)
		}
	}
	if bytes.Contains(document, []byte("- **memory**: ")) {
		t.Error("the document describes a work that was not measured")
	}
}

func TestACellThatFailsIsNamedAndTheOthersGoOn(t *testing.T) {
	broken := work{name: "no-such-work", by: []string{bare}, lines: []line{{figure: "x"}}}
	sound, err := selectWorks("^publish-0$")
	if err != nil {
		t.Fatal(err)
	}
	r := &runner{size: tiny, self: os.Args[0], progress: io.Discard}
	got, err := r.measure(context.Background(), append([]work{broken}, sound...), 1)
	if err == nil || !strings.Contains(err.Error(), "no-such-work:bare, round 1") {
		t.Errorf("error = %v, want one that names the cell", err)
	}
	if _, ok := got.median(coordinates{work: "publish-0", figure: "publish", competitor: ours}); !ok {
		t.Error("the cell after the one that failed was not measured")
	}
}

func TestWhatCannotBeMeasuredIsRefused(t *testing.T) {
	for _, args := range [][]string{
		{"-run", "nothing-like-it"}, {"-run", "("}, {"-rounds", "0", "-quick"}, {"-cell", "shot:nobody"}, {"-cell", "shot"},
	} {
		if err := run(args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q was not refused", args)
		}
	}
}
