package persist

import (
	"context"
	"time"
)

// linger is how the writer lets those come who were answered by the last commit: on a slow disk
// they would miss the next one by a moment, and half of them would always wait for the other half.
// Nobody is waited for where commits are quick, nor after one who came alone.
type linger struct {
	expected int           // callers, if all come again
	bound    time.Duration // how long they are waited for, once; 0 for not at all
	vain     int           // how many commits not to wait before, since most did not come
}

const (
	// slowCommit is from when on it is worth it.
	slowCommit = 2 * time.Millisecond
	// lingerShare is which part of the time of the last commit is given at most, and maxLinger
	// how much in any case.
	lingerShare = 4
	maxLinger   = 10 * time.Millisecond
	// lingerAgain is after how many commits it is tried again when it was in vain.
	lingerAgain = 8
)

// after decides what to do after a commit for so many callers, while which others came. Took is
// zero where it says nothing of the next.
func (l linger) after(callers, came int, took time.Duration) linger {
	next := linger{expected: callers + came, vain: max(l.vain-1, 0)}
	if next.vain == 0 && callers > 0 && next.expected > 1 && took >= slowCommit {
		next.bound = min(took/lingerShare, maxLinger)
	}
	return next
}

// linger waits for those who are expected, or until there is enough for a commit anyway.
func (w *writer) linger(ctx context.Context) {
	bound := w.patience.bound
	if bound == 0 {
		return
	}
	w.patience.bound = 0
	timer := time.NewTimer(bound)
	defer timer.Stop()
	b := w.q.book
	for {
		b.mu.Lock()
		there, enough := b.asking, len(b.inbox) >= maxSteps
		b.mu.Unlock()
		if there >= w.patience.expected || enough {
			return
		}
		select {
		case <-b.wake:
		case <-timer.C:
			if there <= w.patience.expected/2 {
				w.patience.vain = lingerAgain
			}
			return
		case <-ctx.Done():
			return
		}
	}
}

// asking counts those who wait for what they have submitted. It is called with the book locked.
func asking(ops []op) (n int) {
	for _, o := range ops {
		if s, ok := o.(*submitOp); ok && s.steps == nil && !s.withdrawn {
			n++
		}
	}
	return n
}
