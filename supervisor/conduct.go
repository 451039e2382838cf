package supervisor

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
)

func (r *run) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// conduct is the conductor's loop. It waits for one channel only, since a select of
// several, and above all of a timer's, costs more than the rest of a turn: timer and
// context poke it like everybody else.
func (r *run) conduct(ctx context.Context) error {
	var rang atomic.Bool
	timer := time.AfterFunc(time.Hour, func() {
		rang.Store(true)
		r.poke()
	})
	timer.Stop()
	defer timer.Stop()
	defer context.AfterFunc(ctx, r.poke)()

	var asked bool
	var armed instant
	for {
		if !asked && ctx.Err() != nil {
			asked = true
			r.askedToStop(context.Cause(ctx), r.now())
		}

		now := r.now()
		r.mu.Lock()
		if late := r.overdueNow(now); len(late) > 0 {
			r.mu.Unlock()
			r.lookAfter(late)
			now = r.now()
			r.mu.Lock()
		}
		until, over := r.step(now)
		r.unlock()
		if over {
			return r.result()
		}

		switch {
		case until == 0:
			timer.Stop()
		case until != armed || rang.Swap(false):
			timer.Reset(until.since(now))
		}
		armed = until
		<-r.wake
	}
}

// step does all that can be done now and returns when to look again, zero for
// never, and whether the run is over.
func (r *run) step(now instant) (until instant, over bool) {
	defer r.noteState(now)
	if r.lame != 0 && r.stop == nil {
		if lame := r.lameUntil(); now < lame && !r.deserted() {
			until = lame
		} else {
			r.beginStop(nil, r.ordered(), now)
		}
	}
	if r.stop == nil && r.group != nil {
		until = within(until, r.stepGroup(now))
	}
	if r.stop == nil && r.group == nil {
		until = within(until, r.stepStart(now))
	}
	if r.stop == nil && r.started && r.cfg.EndWhenEmpty && r.alive == 0 && r.starting == nil && r.group == nil {
		r.beginStop(errors.Join(r.failed...), false, now)
	}
	if r.stop != nil {
		var t instant
		t, over = r.stepStop(now)
		until = within(until, t)
	}
	return within(until, r.dueAt), over
}

// noteState keeps since when the run is in the state that it is in, which follows
// from what is under way.
func (r *run) noteState(now instant) {
	s := StateRunning
	switch {
	case r.over:
		s = StateStopped
	case r.stop != nil || r.lame != 0:
		s = StateStopping
	case r.regroup != 0:
		s = StateRestarting
	case !r.started:
		s = StateStarting
	}
	if s != r.shown {
		r.shown, r.since = s, now
	}
}

// unlock has the guard let in who may come in, and releases mu.
func (r *run) unlock() {
	r.goOnHalting()
	r.admitNext()
	r.release()
}

// release releases mu and then does what is not done under it, if there is anything.
func (r *run) release() {
	if r.wanted || r.announce || len(r.cancels) > 0 {
		r.releaseAndDo()
		return
	}
	r.mu.Unlock()
}

// releaseAndDo releases mu, pokes the conductor, who needs mu, tells the parent that the
// family is up, and ends contexts.
func (r *run) releaseAndDo() {
	cancels, announce, wanted := r.cancels, r.announce, r.wanted
	r.cancels, r.announce, r.wanted = nil, false, false
	r.mu.Unlock()
	if wanted {
		r.poke()
	}
	if announce {
		actor.Ready(r.self)
	}
	for _, c := range cancels {
		c.attempt.Stop(c.reason)
	}
}

// askedToStop is called when the context of Run has ended.
func (r *run) askedToStop(cause error, now instant) {
	again := toRunAgain(cause)
	if w := r.s.wish.Load(); w != nil {
		again = again || w.again
	}
	r.mu.Lock()
	defer r.unlock()
	if r.stop != nil || r.lame != 0 {
		return
	}
	r.again = again
	if r.cfg.LameDuck == 0 {
		r.beginStop(nil, r.ordered(), now)
		return
	}
	r.asked, r.lame = now, after(now, r.cfg.LameDuck)
	r.closeDoor()
	r.tellSelf(events.SupervisorStopping, now, 0, nil)
}

// toRunAgain says that the supervisor is stopped to be run again. The cause may be
// a user's, at a root.
func toRunAgain(cause error) bool {
	defer func() { _ = recover() }()
	var timeout *actor.TimeoutError
	var late *actor.NotReadyError
	return errors.Is(cause, actor.ErrGroup) || errors.Is(cause, actor.ErrRestarted) || errors.As(cause, &timeout) || errors.As(cause, &late)
}

// lameUntil is when the lame-duck delay is over: a tenth of the time is left for
// the stop itself.
func (r *run) lameUntil() instant {
	deadline := r.deadline(r.asked, r.again)
	return within(r.lame, deadline-(deadline-r.asked)/10)
}

// deserted says that there is nothing to serve: nobody is inside, and nobody is let in.
func (r *run) deserted() bool { return r.guard != nil && r.alive == 0 && r.dynamic == 0 }

// ordered says whether the children stop one after the other.
func (r *run) ordered() bool { return r.strategy != OneForOne }
