package policy

import (
	"math"
	"testing"
	"time"
)

func TestNext(t *testing.T) {
	escalating := Rules{OnGiveUp: GiveUpEscalate}
	for _, c := range []struct {
		says     string
		rules    Rules
		exit     Exit
		failures int
		want     Decision
	}{
		{"by default a success completes", Rules{}, Succeeded, 0, Complete},
		{"by default a failure is retried", Rules{}, Failed, 1, Retry},
		{"by default failures are retried without limit", Rules{}, Failed, math.MaxInt, Retry},
		{"a panic is a failure", Rules{}, Panicked, 1, Retry},
		{"a Goexit is a failure", Rules{}, Exited, 1, Retry},
		{"a timeout is a failure", Rules{}, TimedOut, 1, Retry},
		{"a stall is a failure", Rules{}, Stalled, 1, Retry},
		{"a crash that did not happen is a failure", Rules{OnPanic: PanicCrash}, Panicked, 1, Retry},
		{"what is no exit is a failure", Rules{}, Exit(0), 1, Retry},
		{"what is no exit has a budget too", Rules{MaxRetries: 1}, Exit(99), 2, GiveUp},

		{"always repeats a success", Rules{Restart: Always}, Succeeded, 0, Repeat},
		{"always retries a failure", Rules{Restart: Always}, Failed, 1, Retry},
		{"always ends when the task is done", Rules{Restart: Always}, Finished, 0, Complete},
		{"never completes on success", Rules{Restart: Never}, Succeeded, 0, Complete},
		{"never gives up on the first failure", Rules{Restart: Never}, Failed, 1, GiveUp},
		{"never gives up on a timeout", Rules{Restart: Never}, TimedOut, 1, GiveUp},

		{"the last retry of a budget is made", Rules{MaxRetries: 3}, Failed, 3, Retry},
		{"a failure after the last retry is given up", Rules{MaxRetries: 3}, Failed, 4, GiveUp},
		{"a budget binds always as well", Rules{Restart: Always, MaxRetries: 3}, Failed, 4, GiveUp},
		{"a success does not care for the budget", Rules{Restart: Always, MaxRetries: 3}, Succeeded, 9, Repeat},
		{"no retry gives up on the first failure", Rules{MaxRetries: NoRetry}, Failed, 1, GiveUp},
		{"no retry still repeats a success", Rules{Restart: Always, MaxRetries: NoRetry}, Succeeded, 0, Repeat},
		{"unlimited is unlimited", Rules{MaxRetries: Unlimited}, Failed, math.MaxInt, Retry},
		{"a refused negative limit allows none", Rules{MaxRetries: -1}, Failed, 1, GiveUp},

		{"a fatal error is not retried", Rules{}, Fatal, 1, GiveUp},
		{"a fatal error ends always", Rules{Restart: Always}, Fatal, 1, GiveUp},
		{"a fatal error can escalate", escalating, Fatal, 1, Escalate},
		{"an exhausted budget can escalate", Rules{MaxRetries: 1, OnGiveUp: GiveUpEscalate}, Failed, 2, Escalate},
		{"never can escalate", Rules{Restart: Never, OnGiveUp: GiveUpEscalate}, Failed, 1, Escalate},
		{"a retried failure does not escalate", escalating, Failed, 1, Retry},
		{"a success does not escalate", escalating, Succeeded, 0, Complete},
		{"a panic can escalate at once", Rules{OnPanic: PanicEscalate}, Panicked, 1, Escalate},
		{"a Goexit is not a panic", Rules{OnPanic: PanicEscalate}, Exited, 1, Retry},
	} {
		if got := c.rules.Next(c.exit, c.failures); got != c.want {
			t.Errorf("%s: got %v, want %v", c.says, got, c.want)
		}
	}
}

// What holds whatever the rules say, tried on all of them.
func TestNextUnderEveryRule(t *testing.T) {
	for _, r := range everyRule() {
		for _, n := range []int{0, 1, 2, 3, math.MaxInt} {
			for e := range Exit(12) {
				d := r.Next(e, n)
				switch {
				case e == Stopped && d != Halt:
					t.Errorf("%+v: a stop gives %v", r, d)
				case e == Finished && d != Complete:
					t.Errorf("%+v: done gives %v", r, d)
				case e == Escalated && d != Escalate:
					t.Errorf("%+v: an escalation gives %v", r, d)
				case e == Fatal && d != GiveUp && d != Escalate:
					t.Errorf("%+v: a fatal error gives %v", r, d)
				case r.Restart == Never && (d == Repeat || d == Retry):
					t.Errorf("%+v: %v gives %v although it never restarts", r, e, d)
				case e.IsFailure() && (d == Repeat || d == Complete || d == Halt):
					t.Errorf("%+v: the failure %v gives %v", r, e, d)
				case d.String() == Decision(0).String():
					t.Errorf("%+v: %v gives no decision", r, e)
				}
			}
		}
	}
}

func everyRule() (rules []Rules) {
	for _, r := range restarts.Values() {
		for _, g := range giveUps.Values() {
			for _, p := range panics.Values() {
				for _, n := range []int{0, 1, 2, Unlimited, NoRetry} {
					rules = append(rules, Rules{Restart: r, MaxRetries: n, OnGiveUp: g, OnPanic: p})
				}
			}
		}
	}
	return rules
}

func TestRetriesMeanOneAttemptMore(t *testing.T) {
	for n := 1; n < 6; n++ {
		attempts := 1
		for (Rules{MaxRetries: n}).Next(Failed, attempts) == Retry {
			attempts++
		}
		if attempts != n+1 {
			t.Errorf("%d retries made %d attempts", n, attempts)
		}
	}
}

func TestIsFailure(t *testing.T) {
	for _, e := range []Exit{Failed, Fatal, Escalated, Panicked, Exited, TimedOut, Stalled} {
		if !e.IsFailure() {
			t.Errorf("%v is no failure", e)
		}
	}
	for _, e := range []Exit{0, Succeeded, Finished, Stopped, 99} {
		if e.IsFailure() {
			t.Errorf("%v is a failure", e)
		}
	}
}

func TestRepeatDelay(t *testing.T) {
	for _, c := range []struct {
		says              string
		every, took, want time.Duration
	}{
		{"an attempt that took no time is held for the floor", 0, 0, MinRepeat},
		{"a short attempt is held for the rest of the floor", 0, MinRepeat / 4, MinRepeat * 3 / 4},
		{"an attempt longer than the floor is not held", 0, time.Second, 0},
		{"the delay does not depend on a long attempt", time.Minute, time.Hour, time.Minute},
		{"a delay below the floor is raised to it", 1, 0, MinRepeat},
		{"a negative delay is none", -time.Hour, time.Second, 0},
		{"a clock gone back does not lengthen the delay", 0, math.MinInt64, MinRepeat},
		{"an endless attempt does not overflow", 0, Forever, 0},
	} {
		if got := RepeatDelay(c.every, c.took); got != c.want {
			t.Errorf("%s: got %v, want %v", c.says, got, c.want)
		}
	}
}
