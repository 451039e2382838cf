package supervisor

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
)

// Main runs tasks for the length of a program: it supervises them one for one
// and returns when ctx has ended, when the last of them has, or when the
// process is asked to go by SIGINT or SIGTERM. Then everything is stopped
// within its grace. A second signal prints the stacks of what is still running
// and exits the process with 128 and the signal's number. SIGUSR1 shows the tree, see
// the method Main.
//
// The error is that of a Supervisor's Run. When the last task has ended, it
// joins the errors of those that failed for good, so that a program can end
// with them.
//
// A program that wants more than defaults (a name, subscribers, a strategy, a
// lame-duck delay) makes its own supervisor and calls its method Main. As one of
// specs it would be a child like any other, and run again when it fails.
func Main(ctx context.Context, specs ...actor.Spec) error {
	return New(Config{Children: specs, EndWhenEmpty: true}).Main(ctx)
}

// Main is Run for the length of a program: it also ends when the process is
// asked to go by SIGINT or SIGTERM, gracefully at the first signal. A second one
// prints the stacks of what is still running and exits the process with 128 and
// the signal's number. In a testing/synctest bubble use Run: signals come from
// outside.
//
// On Unix, SIGUSR1 writes the tree to standard error as it is then, see Node.String,
// and changes nothing. A program may listen to that signal too: each gets it.
//
// When nobody listens, neither a Bus nor a subscriber of the Config that is not
// Silent, Main logs what goes wrong to the Config's Logger, or to slog.Default:
// failures, stuck tasks, tasks and supervisors that gave up, submissions that were lost; jobs that
// failed, expired or were set aside, and types of them that nobody handles.
func (s *Supervisor) Main(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	looks := make(chan os.Signal, 1) // of its own: however many come, they keep out none of the others
	notifyLook(looks)
	returned := make(chan struct{})
	defer close(returned)
	defer signal.Stop(signals)
	defer signal.Stop(looks)
	go heed(s, signals, returned, cancel)
	go show(s, looks, returned) // apart: an error's text, or stderr, may keep it for ever
	subs := s.cfg.Subscribers
	if s.cfg.Bus == nil && !slices.ContainsFunc(subs, func(sub events.Subscriber) bool { return !sub.Silent }) {
		subs = append(slices.Clone(subs), s.failureLog())
	}
	return s.run(ctx, subs)
}

// heed stops gracefully at the first of the signals and at once at the second.
func heed(s *Supervisor, signals <-chan os.Signal, returned <-chan struct{}, stop context.CancelCauseFunc) {
	var asked time.Time
	for {
		select {
		case sig := <-signals:
			switch {
			case asked.IsZero():
				asked = time.Now()
				stop(&SignalError{Signal: sig})
			case time.Since(asked) > sameSignal:
				time.AfterFunc(dumpTime, func() { os.Exit(exitCode(sig)) })
				_, _ = fmt.Fprintf(os.Stderr, "%v again: exiting; still running:\n", sig)
				s.Dump(os.Stderr)
				os.Exit(exitCode(sig))
			}
		case <-returned:
			return
		}
	}
}

// dumpTime is how long the last words may take.
const dumpTime = 5 * time.Second

// show writes the tree for those who want a look.
func show(s *Supervisor, looks <-chan os.Signal, returned <-chan struct{}) {
	for {
		select {
		case sig := <-looks:
			_, _ = fmt.Fprintf(os.Stderr, "%v:\n%v\n", sig, s.Tree())
		case <-returned:
			return
		}
	}
}

// sameSignal is how close signals are that were meant as one: whoever runs a
// process group for another often passes on what the group has had already.
const sameSignal = 50 * time.Millisecond

// exitCode is what a shell reports of a process that a signal has ended.
func exitCode(sig os.Signal) int {
	if n, ok := sig.(syscall.Signal); ok {
		return 128 + int(n)
	}
	return 1
}

// SignalError is why the context of Main's tree ended: the process was asked to
// go by a signal.
type SignalError struct{ Signal os.Signal }

func (e *SignalError) Error() string { return "signal: " + e.Signal.String() }

// Dump writes what still runs, one task after the other: its state, for how
// long, and the stacks of exactly its goroutines; then what is left of tasks that
// have ended or were abandoned.
func (s *Supervisor) Dump(w io.Writer) {
	tree := s.Tree() // first: what ends meanwhile is not left behind
	stacks := map[string][]actor.Goroutine{}
	for _, g := range actor.Goroutines() {
		if s.owns(g) && !leaving(g) {
			stacks[g.Path] = append(stacks[g.Path], g)
		}
	}
	for n := range tree.All() {
		if !n.State.Ended() && !n.IsSupervisor {
			dump(w, stacks[n.Path], "%s: %s for %v, attempt %d", n.Path, n.State, time.Since(n.Since).Round(time.Millisecond), n.Attempt)
		}
		if !n.State.Ended() {
			delete(stacks, n.Path)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(stacks)) {
		dump(w, stacks[path], "%s: left behind", path)
	}
}

func dump(w io.Writer, gs []actor.Goroutine, format string, args ...any) {
	_, _ = fmt.Fprintf(w, format+"\n", args...)
	for _, g := range gs {
		_, _ = fmt.Fprintf(w, "\t%s\n", strings.ReplaceAll(g.String(), "\n", "\n\t"))
	}
}
