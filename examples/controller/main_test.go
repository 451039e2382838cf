package main

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The program is tested in a bubble, and once as it is used: this binary, run again as
// the example.
const runAsExample = "TASKVISOR_TEST_RUN_AS_EXAMPLE"

// Main listens for signals. The goroutine that package os/signal starts for that,
// once and for ever, must not belong to a bubble.
func TestMain(m *testing.M) {
	if os.Getenv(runAsExample) != "" {
		main()
		return
	}
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt)
	signal.Stop(c)
	os.Exit(m.Run())
}

const story = `
Queue: each build waits for the one before
  build-1   runs
  build-2   waits, as number 1
  build-3   waits, as number 2
  build-1   has ended: completed
  build-2   runs
  build-2   has ended: completed
  build-3   runs
  build-3   has ended: completed
Replace: a deployment makes way, and only the latest of those that wait runs
  deploy-1  runs
  deploy-2  waits, as number 1
  deploy-1  is told to end: replaced
  deploy-2  is rejected: superseded
  deploy-3  waits, as number 1
  deploy-1  has ended: stopped
  deploy-3  runs
  deploy-3  has ended: completed
DropIfRunning: no probe waits
  probe-1   runs
  probe-2   is rejected: busy
  probe-1   has ended: completed
  probe-3   runs
  probe-3   has ended: completed
Queue, with Depth 2: only two of a batch may wait
  batch-1   runs
  batch-2   waits, as number 1
  batch-3   waits, as number 2
  batch-4   is rejected: full
  batch-1   has ended: completed
  batch-2   runs
  batch-2   has ended: completed
  batch-3   runs
  batch-3   has ended: completed
13 submissions: 9 completed, 1 stopped, 3 rejected
`

func TestEachKeyIsServedAsItsAdmissionSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		began := time.Now()
		if err := run(t.Context(), &out); err != nil {
			t.Error(err)
		}
		if got := "\n" + out.String(); got != story {
			t.Errorf("the story is%s\nwant%s", got, story)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it takes %v", took)
		}
	})
}

// In the middle of the builds: one runs and is stopped, one waits.
func TestAnInterruptLeavesNoSubmissionWithoutAnOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		var out bytes.Buffer
		if err := run(ctx, &out); err != nil {
			t.Error(err)
		}
		for _, want := range []string{
			"build-3   is rejected: closing\n",
			"build-2   has ended: stopped\n",
			"3 submissions: 1 completed, 1 stopped, 1 rejected\n",
		} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("it does not say %q:\n%s", want, out.String())
			}
		}
	})
}

func TestASignalEndsItWithTheTally(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), runAsExample+"=1")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	var last string
	for lines.Scan() {
		last = lines.Text()
		if strings.HasPrefix(last, "  build-2   runs") {
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Error(err)
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ends with %v", err)
	}
	if !strings.HasPrefix(last, "3 submissions: ") {
		t.Errorf("its last words are %q", last)
	}
}
