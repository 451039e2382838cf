package persist

import (
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
)

// holder is what a submission finds out about the job that has its key.
type holder uint8

const (
	noHolder  holder = iota
	waiting          // it has not been begun, or waits for a retry
	busy             // it runs
	busyTwice        // it runs, and another waits for it to end
	ending           // it has run, and what follows is being stored
)

// answer is what becomes of a submission.
type answer uint8

const (
	insert       answer = iota
	insertBehind        // it waits for the holder to end
	joinHolder          // the holder does what was submitted
	joinFollower        // who waits for the holder does
	replace             // the holder ends, and so does who waits for it
	replaceBusy         // the holder is told to end, and it waits for that
	refuse
)

// decideDuplicate decides about a submission whose key has a holder.
func decideDuplicate(d Duplicates, h holder) answer {
	switch {
	case h == noHolder:
		return insert
	case d == Reject:
		return refuse
	case h == ending:
		return insertBehind // it may have run before there was what was submitted
	case d == Supersede && h == waiting:
		return replace
	case d == Supersede:
		return replaceBusy
	case h == waiting:
		return joinHolder
	case h == busyTwice:
		return joinFollower
	}
	return insertBehind
}

// verdict is how an attempt ended.
type verdict struct {
	exit    policy.Exit
	reason  events.Reason // why it was stopped
	after   time.Duration // the pause that its error asks for
	asked   bool          // it does ask
	snooze  bool          // for after, uncounted
	cancel  bool          // it asks to be cancelled
	lost    bool          // the store has it no more, or not whole
	enough  bool          // its backoff wants no more
	expired bool          // its time was over before it could be begun
	err     error         // as the supervisor has it
	text    string        // of its error
	elapsed time.Duration
}

// move is what follows an attempt.
type move uint8

const (
	endNow   move = iota // for good, as the ending says
	again                // after a pause
	putOff               // after a pause, and as if it had not run
	putBack              // at once, and as if it had not run
	setAside             // until somebody releases it, and as if it had not run
)

// decideNext decides what follows an attempt. Failures counts this one, if it is one.
func decideNext(v *verdict, maxRetries, failures int) (move, Ending) {
	switch {
	case v.expired:
		return endNow, Expired
	case v.lost:
		return setAside, 0
	case v.snooze:
		return putOff, 0
	case v.cancel:
		return endNow, Cancelled
	}
	switch v.exit {
	case policy.Succeeded, policy.Finished:
		return endNow, Completed
	case policy.Stopped:
		// Somebody wanted this one to end, not just everything.
		if v.reason == events.ReasonStopped || v.reason == events.ReasonRemoved {
			return endNow, Cancelled
		}
		return putBack, 0
	case policy.Fatal:
		return endNow, Failed
	}
	exit := v.exit
	if exit == policy.Escalated {
		exit = policy.Failed // what it does to others is for the supervisor
	}
	if !v.enough && (policy.Rules{MaxRetries: maxRetries}).Next(exit, failures) == policy.Retry {
		return again, 0
	}
	return endNow, DeadLetter
}
