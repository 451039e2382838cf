//go:build unix

package supervisor_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// bAsProgram names the environment variable that makes the test binary a
// program which runs supervisor.Main.
const bAsProgram = "TASKVISOR_TEST_PROGRAM"

func bHangInMain(gate <-chan struct{}) { <-gate }

func TestMain(m *testing.M) {
	if kind := os.Getenv(bAsProgram); kind != "" {
		bProgramMain(kind)
	}
	os.Exit(m.Run())
}

// bProgramMain is the program that the tests below run as a process.
func bProgramMain(kind string) {
	obeys := actor.Spec{Name: "obeys", Task: actor.Func(func(ctx context.Context) error {
		<-ctx.Done()
		fmt.Println("obeyed:", context.Cause(ctx))
		return nil
	})}
	deaf := actor.Spec{Name: "deaf", Grace: time.Minute, Task: actor.Func(func(ctx context.Context) error {
		go func() { <-ctx.Done(); fmt.Println("told") }()
		bHangInMain(make(chan struct{}))
		return nil
	})}
	deep := supervisor.New(supervisor.Config{Children: []actor.Spec{deaf}})
	ready := actor.Spec{Name: "ready", Restart: policy.Never, Task: actor.Func(func(context.Context) error {
		fmt.Println("ready")
		return nil
	})}
	fine := supervisor.New(supervisor.Config{Children: []actor.Spec{{Name: "leaf", Task: actor.Func(bIdle)}}})
	specs := map[string][]actor.Spec{
		"obeys": {obeys, ready},
		"deaf":  {obeys, deep.Spec("deep"), ready},
		"looks": {obeys, fine.Spec("fine"), ready},
	}[kind]
	if kind == "looks" {
		bLookToo()
	}
	err := supervisor.Main(context.Background(), specs...)
	fmt.Println("main returned", err)
	if err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// bLookToo has the program listen itself to the signal that shows the tree.
func bLookToo() {
	looks := make(chan os.Signal, 1)
	signal.Notify(looks, syscall.SIGUSR1)
	go func() {
		for range looks {
			fmt.Println("looked")
		}
	}()
}

// bProgram is a running child process.
type bProgram struct {
	t      *testing.T
	cmd    *exec.Cmd
	lines  *bufio.Scanner
	stderr bytes.Buffer // unless it goes elsewhere
}

func bProcess(t *testing.T, kind string) *bProgram {
	t.Helper()
	return bProcessTo(t, kind, nil)
}

// bProcessTo has what the process writes to stderr go elsewhere.
func bProcessTo(t *testing.T, kind string, stderr io.Writer) *bProgram {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	p := &bProgram{t: t, cmd: exec.CommandContext(ctx, os.Args[0])} //nolint:gosec // the test binary itself
	p.cmd.Env = append(os.Environ(), bAsProgram+"="+kind)
	p.cmd.Stderr = &p.stderr
	if stderr != nil {
		p.cmd.Stderr = stderr
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.lines = bufio.NewScanner(out)
	p.await("ready")
	return p
}

// await reads until the process has written a line that begins like that.
func (p *bProgram) await(prefix string) {
	p.t.Helper()
	for p.lines.Scan() {
		if strings.HasPrefix(p.lines.Text(), prefix) {
			return
		}
	}
	p.t.Fatalf("the process never wrote %q; its errors: %s", prefix, p.stderr.String())
}

func (p *bProgram) signal(sig os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}

// insist signals again and again until the process has ended, and returns its
// code: signals that come too close are taken for one.
func (p *bProgram) insist(sig os.Signal) int {
	p.t.Helper()
	over := make(chan struct{})
	defer close(over)
	go func() {
		tick := time.NewTicker(60 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_ = p.cmd.Process.Signal(sig) // it may have ended
			case <-over:
				return
			}
		}
	}()
	return p.exit()
}

// exit waits for the end of the process and returns its code.
func (p *bProgram) exit() int {
	p.t.Helper()
	for p.lines.Scan() {
		continue
	}
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	return p.cmd.ProcessState.ExitCode()
}

func TestTheFirstSignalStopsGracefullyAndTheProgramEndsWell(t *testing.T) {
	for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			p := bProcess(t, "obeys")
			p.signal(sig)
			p.await("obeyed: " + actor.ErrShutdown.Error())
			p.await("main returned <nil>")
			if code := p.exit(); code != 0 || p.stderr.Len() != 0 {
				t.Errorf("exit code %d, and on stderr %q", code, p.stderr.String())
			}
		})
	}
}

func TestTheSecondSignalDumpsTheStacksOfWhatRunsAndExits(t *testing.T) {
	for sig, want := range map[os.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			p := bProcess(t, "deaf")
			p.signal(sig)
			p.await("told")
			if code := p.insist(sig); code != want {
				t.Errorf("exit code %d, want %d", code, want)
			}
			dump := p.stderr.String()
			for _, part := range []string{"/deep/deaf: stopping", "bHangInMain"} {
				if !strings.Contains(dump, part) {
					t.Errorf("%q is not in the dump:\n%s", part, dump)
				}
			}
		})
	}
}
