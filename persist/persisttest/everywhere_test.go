package persisttest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/persist"
)

// mailing is a scenario in which a note is followed by another, and each is done at least
// once, and as often as tries says at most.
func mailing(lives *[]int, most int) Scenario {
	done := map[int]int{}
	cfg := handling(func(ctx context.Context, n note) error {
		if done[n.N]++; n.N == 0 {
			return nil
		}
		a, _ := persist.FromContext(ctx)
		_, err := notes.Submit(ctx, a.Queue(), note{n.N - 1}, persist.WithDelay(time.Minute))
		return err
	})
	cfg.Workers = 1
	acts := 0
	return Scenario{
		Config: cfg,
		Act: func(ctx context.Context, q *persist.Queue) error {
			acts++
			_, err := notes.Submit(ctx, q, note{1})
			return err
		},
		Check: func(t *testing.T, q *Queue) {
			*lives = append(*lives, len(q.lives))
			for n := range 2 {
				if done[n] < 1 || done[n] > most {
					t.Errorf("%d was done %d times", n, done[n])
				}
			}
			if acts > 2 {
				t.Errorf("%d acts", acts)
			}
			for _, j := range q.Jobs("") {
				q.AssertEnded(j.ID, persist.Completed)
			}
		},
	}
}

func TestAScenarioIsPlayedWithACrashAtEachCommit(t *testing.T) {
	var lives []int
	CrashEverywhere(t, func() Scenario { return mailing(&lives, 3) })
	// The four commits: two submissions, two ends.
	if got := fmt.Sprint(lives); got != "[1 2 2 2 2 2 2 2 2]" {
		t.Errorf("the plays had %s lives", got)
	}
}

func TestAScenarioThatCannotBearACrash(t *testing.T) {
	mayFail(t)
	var lives []int
	CrashEverywhere(t, func() Scenario { return mailing(&lives, 1) })
}

func TestAScenarioThatFailsAnyway(t *testing.T) {
	mayFail(t)
	var lives []int
	CrashEverywhere(t, func() Scenario { return mailing(&lives, 0) })
}

func TestAScenarioWhoseActFails(t *testing.T) {
	mayFail(t)
	CrashEverywhere(t, func() Scenario {
		return Scenario{
			Act:   func(context.Context, *persist.Queue) error { return errBoom },
			Check: func(t *testing.T, _ *Queue) { t.Error("it goes on") },
		}
	})
}

func TestWhatAScenarioFailsFor(t *testing.T) {
	t.Parallel()
	out := inProcess(t, "TestAScenarioThatCannotBearACrash")
	expect(t, out, "1 was done 2 times", "--- PASS: TestAScenarioThatCannotBearACrash/no_crash", "--- PASS", "/before_commit_1",
		"--- FAIL: TestAScenarioThatCannotBearACrash/before_commit_2")

	out = inProcess(t, "TestAScenarioThatFailsAnyway")
	expect(t, out, "0 was done 1 times", "--- FAIL: TestAScenarioThatFailsAnyway/no_crash")
	if strings.Contains(out, "commit_1") {
		t.Errorf("it goes on:\n%s", out)
	}

	out = inProcess(t, "TestAScenarioWhoseActFails")
	expect(t, out, "act: boom", "--- FAIL: TestAScenarioWhoseActFails/no_crash")
	if strings.Contains(out, "it goes on") {
		t.Errorf("it goes on:\n%s", out)
	}
}
