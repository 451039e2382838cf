package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const story = `
build-1   runs
build-2   waits, as number 1
build-3   waits, as number 2
build-1   has ended: completed
build-2   runs
build-2   has ended: completed
build-3   runs
build-3   has ended: completed
deploy-1  runs
deploy-2  waits, as number 1
deploy-1  is told to end: replaced
deploy-2  is rejected: superseded
deploy-3  waits, as number 1
deploy-1  has ended: stopped
deploy-3  runs
deploy-3  has ended: completed
probe-1   runs
probe-2   is rejected: busy
probe-1   has ended: completed
probe-3   runs
probe-3   has ended: completed
batch-1   runs
batch-2   waits, as number 1
batch-3   waits, as number 2
batch-4   waits, as number 3
batch-5   waits, as number 4
batch-6   waits, as number 5
batch-7   waits, as number 6
batch-8   waits, as number 7
batch-9   waits, as number 8
batch-10  waits, as number 9
batch-11  waits, as number 10
batch-12  is rejected: full
batch-1   has ended: completed
batch-2   runs
batch-2   has ended: completed
batch-3   runs
batch-3   has ended: completed
batch-4   runs
batch-4   has ended: completed
batch-5   runs
batch-5   has ended: completed
batch-6   runs
batch-6   has ended: completed
batch-7   runs
batch-7   has ended: completed
batch-8   runs
batch-8   has ended: completed
batch-9   runs
batch-9   has ended: completed
batch-10  runs
batch-10  has ended: completed
batch-11  runs
batch-11  has ended: completed
21 submissions: 17 completed, 1 stopped, 3 rejected
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
