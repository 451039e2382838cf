package policy

import (
	"cmp"
	"time"
)

// Rules decide what follows an attempt. The zero value retries every failure
// without limit and completes on success.
type Rules struct {
	// Restart says after which ends the task runs again.
	Restart Restart
	// MaxRetries is how often in a row a failure is retried: n allows a streak of
	// n+1 failing attempts. Zero and [Unlimited] set no limit, [NoRetry] allows
	// none. Nothing is inherited here any more.
	MaxRetries int
	// OnGiveUp says whether giving up ends the supervisor too.
	OnGiveUp OnGiveUp
	// OnPanic says whether a panic is retried. [PanicCrash] counts as
	// [PanicRestart] here: a process that has crashed asks nobody.
	OnPanic OnPanic
}

// Validate refuses unknown values, a negative MaxRetries other than [NoRetry],
// and a limit on the retries of a task that [Never] restarts. The error is a
// [*FieldError].
func (r Rules) Validate() error {
	return cmp.Or(
		known("Restart", r.Restart, restarts),
		r.checkRetries(),
		known("OnGiveUp", r.OnGiveUp, giveUps),
		known("OnPanic", r.OnPanic, panics),
	)
}

func (r Rules) checkRetries() error {
	n := r.MaxRetries
	switch {
	case n < 0 && n != NoRetry:
		return refuse("MaxRetries", n, "must not be negative; NoRetry allows none")
	case r.Restart == Never && n > 0 && n != Unlimited:
		return refuse("MaxRetries", n, "must not be set with Restart never, which makes no retries")
	}
	return nil
}

// Next decides what follows an attempt that ended as e. Failures is the length of
// the failure streak with this one in it, so at least 1 after a failure; after
// anything else it is ignored. A value that is no exit is taken for a failure.
func (r Rules) Next(e Exit, failures int) Decision {
	switch {
	// A stop and the task's own wish come before every rule.
	case e == Stopped:
		return Halt
	case e == Finished:
		return Complete
	case e == Escalated, e == Panicked && r.OnPanic == PanicEscalate:
		return Escalate

	case e == Succeeded && r.Restart == Always:
		return Repeat
	case e == Succeeded:
		return Complete

	case e == Fatal, r.Restart == Never, r.exhausted(failures):
		return r.giveUp()
	}
	return Retry
}

// exhausted reports whether a streak has used up the retries. Any negative limit
// reads as NoRetry: of the two ways to be wrong, that one is noticed.
func (r Rules) exhausted(failures int) bool {
	switch n := r.MaxRetries; {
	case n < 0:
		return true
	case n == 0, n == Unlimited:
		return false
	default:
		return failures > n
	}
}

func (r Rules) giveUp() Decision {
	if r.OnGiveUp == GiveUpEscalate {
		return Escalate
	}
	return GiveUp
}

// RepeatDelay returns how long to wait between the end of a successful attempt,
// which took took, and the start of the next: every, a fixed delay of which zero
// means none, but at least what is missing to [MinRepeat]. It is never negative.
func RepeatDelay(every, took time.Duration) time.Duration {
	// A negative took would be a clock gone wrong, and must not add to the delay.
	return max(every, MinRepeat-max(took, 0), 0)
}
