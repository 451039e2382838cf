package actor

import (
	"errors"
	"reflect"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/taskvisor/taskvisor/policy"
)

// Contain wraps an error so that whatever steers in its chain has had its
// effect: errors.Is and errors.As still see it, but a supervisor one level up
// treats it as an ordinary failure. Contain(nil) is nil.
func Contain(err error) error {
	if err == nil {
		return nil
	}
	return &contained{err}
}

type contained struct{ err error }

func (e *contained) Error() string { return e.err.Error() }
func (e *contained) Unwrap() error { return e.err }

// steering is what an error says about what should follow it.
type steering struct {
	exit     policy.Exit
	after    time.Duration
	hasAfter bool
}

// steer reads the chain of err. The first mark found, outermost first and left
// before right, decides.
func steer(err error) steering {
	s := steering{exit: policy.Failed}
	s.read(err)
	return s
}

// neutral says that err need not be read: it is of the type that errors.New returns, the
// most usual one, and nothing in it steers.
func neutral(err error) bool { return reflect.TypeOf(err) == plain }

var plain = reflect.TypeOf(errors.New(""))

func (s *steering) read(err error) {
	for err != nil {
		switch e := err.(type) { //nolint:errorlint // walks the chain itself, to stop at what is contained
		case *contained:
			return
		case *FatalError, *backoff.PermanentError:
			s.decide(policy.Fatal)
		case *EscalateError:
			s.decide(policy.Escalated)
		case *PanicError:
			s.decide(policy.Panicked)
			return
		case *GoexitError:
			s.decide(policy.Exited)
		case interface{ RetryAfter() time.Duration }:
			if !s.hasAfter {
				s.hasAfter, s.after = true, max(e.RetryAfter(), 0)
			}
		}
		if err == Done { //nolint:errorlint // the chain is walked here
			s.decide(policy.Finished)
		}
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			for _, e := range many.Unwrap() {
				s.read(e)
			}
			return
		}
		err = errors.Unwrap(err)
	}
}

func (s *steering) decide(e policy.Exit) {
	if s.exit == policy.Failed {
		s.exit = e
	}
}

// Exit returns how an attempt ends that returns err, and after which pause it asks to be
// made again, if it asks at all. It calls what is in the chain of err.
func Exit(err error) (exit policy.Exit, after time.Duration, asked bool) {
	if err == nil {
		return policy.Succeeded, 0, false
	}
	s := steer(err)
	return s.exit, s.after, s.hasAfter
}
