// Command bench measures taskvisor beside its peers and beside goroutines written by
// hand, and prints one table for each family of works.
//
// Every cell, one work of one competitor, is a process of its own: the program runs
// itself again with -cell, and that process prints its figures as one line of JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime/pprof"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	pattern := flags.String("run", "", "measure only the works whose name matches this `regexp`")
	rounds := flags.Int("rounds", 5, "how often every cell is measured; the table has the medians")
	quick := flags.Bool("quick", false, "tiny sizes, to see that everything runs: the figures mean nothing")
	output := flags.String("o", "", "also write the tables, with the conditions, to this Markdown `file`")
	list := flags.Bool("list", false, "list the works and who takes part in them")
	cell := flags.String("cell", "", "measure one cell, `work:competitor`, in this process, and print its figures")
	profile := flags.String("cpuprofile", "", "with -cell: write a CPU profile to this `file`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	size := full
	if *quick {
		size = tiny
	}
	if *cell != "" {
		return runCell(*cell, size, *profile, stdout)
	}
	selected, err := selectWorks(*pattern)
	if err != nil {
		return err
	}
	if *list {
		return listWorks(stdout, selected)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	return bench(ctx, options{
		works: selected, rounds: *rounds, size: size, output: *output, stdout: stdout, progress: stderr,
	})
}

// options is what one run of the whole program is told.
type options struct {
	works    []work
	rounds   int
	size     scale
	output   string
	stdout   io.Writer
	progress io.Writer
}

// bench measures, prints, and writes the document.
func bench(ctx context.Context, o options) error {
	if o.rounds < 1 {
		return fmt.Errorf("-rounds %d: must be at least 1", o.rounds)
	}
	r, err := newRunner(o.size, o.progress)
	if err != nil {
		return err
	}
	got, failed := r.measure(ctx, o.works, o.rounds)
	failed = errors.Join(failed, r.close())
	rep := report{works: o.works, samples: got, erlang: r.erlang != nil, verdicts: !o.size.quick}
	if err := rep.tables(o.stdout); err != nil {
		return err
	}
	if o.output != "" {
		if err := writeDocument(o.output, rep, conditionsHere(o.rounds, r.erlang)); err != nil {
			return err
		}
	}
	return failed
}

// runCell measures one cell in this very process.
func runCell(name string, size scale, profile string, stdout io.Writer) error {
	w, p, err := findCell(name)
	if err != nil {
		return err
	}
	if w.slow && os.Getenv(slowedEnv) == "" {
		return runSlowly(name, size, profile, stdout)
	}
	stop := func() error { return nil }
	if profile != "" {
		if stop, err = startProfile(profile); err != nil {
			return err
		}
	}
	f, err := w.measure(p, size)
	if err := errors.Join(err, stop()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return json.NewEncoder(stdout).Encode(f)
}

// startProfile begins a CPU profile and returns what ends it.
func startProfile(path string) (stop func() error, err error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}

func selectWorks(pattern string) ([]work, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("-run: %w", err)
	}
	var selected []work
	for _, w := range works() {
		if re.MatchString(w.name) {
			selected = append(selected, w)
		}
	}
	if len(selected) == 0 {
		return nil, fmt.Errorf("-run %q matches no work; -list shows them", pattern)
	}
	return selected, nil
}

func listWorks(w io.Writer, all []work) error {
	for _, one := range all {
		if _, err := fmt.Fprintf(w, "%-24s %v\n", one.name, one.by); err != nil {
			return err
		}
	}
	return nil
}
