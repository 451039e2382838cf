package actor_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
)

// around wraps err the way programs do.
func around(err error) error { return fmt.Errorf("query: %w", fmt.Errorf("read: %w", err)) }

func TestAnErrorSteers(t *testing.T) {
	var (
		fatal    = actor.Fatal(errBoom)
		escalate = actor.Escalate(errBoom)
		panicked = &actor.PanicError{Value: "deep"}
	)
	for _, c := range []struct {
		says string
		err  error
		want policy.Exit
	}{
		{"nil is a success", nil, policy.Succeeded},
		{"any error is a failure", errBoom, policy.Failed},
		{"a foreign cancellation is an ordinary failure", context.Canceled, policy.Failed},
		{"so it is when it is wrapped", around(context.Canceled), policy.Failed},
		{"a foreign deadline is an ordinary failure", context.DeadlineExceeded, policy.Failed},
		{"a cause of another's stop is an ordinary failure", actor.ErrShutdown, policy.Failed},

		{"Done finishes", actor.Done, policy.Finished},
		{"a wrapped Done finishes", around(actor.Done), policy.Finished},
		{"Fatal is fatal", fatal, policy.Fatal},
		{"a wrapped Fatal is fatal", around(fatal), policy.Fatal},
		{"a FatalError of one's own making is fatal", &actor.FatalError{Err: errBoom}, policy.Fatal},
		{"a permanent error is fatal", backoff.Permanent(errBoom), policy.Fatal},
		{"a wrapped permanent error is fatal", around(backoff.Permanent(errBoom)), policy.Fatal},
		{"Escalate escalates", escalate, policy.Escalated},
		{"a wrapped Escalate escalates", around(escalate), policy.Escalated},
		{"the panic of another is a panic", around(panicked), policy.Panicked},

		{"a joined Fatal is fatal", errors.Join(errBoom, fatal), policy.Fatal},
		{"several wrapped errors are looked at too", fmt.Errorf("%w, %w", errBoom, around(actor.Done)), policy.Finished},
		{"the left of joined errors decides", errors.Join(actor.Done, fatal), policy.Finished},
		{"the left of joined errors decides, wherever it is", errors.Join(around(errors.Join(fatal)), actor.Done), policy.Fatal},
		{"the outer of two marks decides", actor.Fatal(actor.Escalate(errBoom)), policy.Fatal},
		{"the outer of two marks decides, whichever it is", actor.Escalate(actor.Fatal(errBoom)), policy.Escalated},
		{"a delay does not hide what is inside", actor.RetryAfter(fatal, time.Hour), policy.Fatal},
		{"a mark inside the value of a panic has no say", &actor.PanicError{Value: fatal}, policy.Panicked},

		{"Contain takes the effect of Fatal", actor.Contain(fatal), policy.Failed},
		{"Contain takes the effect of Done", actor.Contain(around(actor.Done)), policy.Failed},
		{"Contain takes the effect of Escalate", around(actor.Contain(escalate)), policy.Failed},
		{"Contain takes the effect of a panic", actor.Contain(panicked), policy.Failed},
		{"Contain does not touch what is around it", actor.Fatal(actor.Contain(escalate)), policy.Fatal},
		{"Contain does not touch what is beside it", errors.Join(actor.Contain(fatal), escalate), policy.Escalated},
	} {
		t.Run(c.says, func(t *testing.T) {
			end := once(t, func(context.Context) error { return c.err })
			if end.Exit != c.want {
				t.Errorf("got %v, want %v", end.Exit, c.want)
			}
			if c.err != nil && c.err != actor.Done && !errors.Is(end.Err, c.err) { //nolint:errorlint // the bare sentinel is no error
				t.Errorf("the error is %v, want %v", end.Err, c.err)
			}
		})
	}
}

func TestMarksKeepTheErrorAndItsText(t *testing.T) {
	for name, err := range map[string]error{
		"Fatal":      actor.Fatal(errBoom),
		"Escalate":   actor.Escalate(errBoom),
		"RetryAfter": actor.RetryAfter(errBoom, time.Second),
		"Contain":    actor.Contain(errBoom),
	} {
		if !errors.Is(err, errBoom) || err.Error() != errBoom.Error() {
			t.Errorf("%s: got %q, which is boom: %v", name, err, errors.Is(err, errBoom))
		}
	}
	if contained := actor.Contain(actor.Fatal(errBoom)); !errors.As(contained, new(*actor.FatalError)) {
		t.Error("errors.As does not see what is contained")
	}
}

func TestAMarkOfNilIsNil(t *testing.T) {
	for name, err := range map[string]error{
		"Fatal": actor.Fatal(nil), "Escalate": actor.Escalate(nil),
		"RetryAfter": actor.RetryAfter(nil, time.Second), "Contain": actor.Contain(nil),
	} {
		if err != nil {
			t.Errorf("%s(nil) is %v", name, err)
		}
	}
}

// limited is an error of a user's own that asks for a delay.
type limited struct{ wait time.Duration }

func (limited) Error() string               { return "rate limited" }
func (l limited) RetryAfter() time.Duration { return l.wait }

func TestAnErrorSetsTheNextDelay(t *testing.T) {
	const backoff = time.Minute
	for _, c := range []struct {
		says string
		err  error
		want time.Duration
	}{
		{"without a wish the backoff counts", errBoom, backoff},
		{"a wish counts instead", actor.RetryAfter(errBoom, time.Hour), time.Hour},
		{"a shorter wish too", actor.RetryAfter(errBoom, time.Second), time.Second},
		{"zero is a wish", actor.RetryAfter(errBoom, 0), 0},
		{"a negative wish is zero", actor.RetryAfter(errBoom, -time.Hour), 0},
		{"a wrapped wish counts", around(actor.RetryAfter(errBoom, time.Hour)), time.Hour},
		{"a joined wish counts", errors.Join(errBoom, actor.RetryAfter(errBoom, time.Hour)), time.Hour},
		{"any error with the method counts", around(limited{time.Hour}), time.Hour},
		{"a negative wish of such an error is zero", limited{-time.Hour}, 0},
		{"the outer of two wishes counts", actor.RetryAfter(actor.RetryAfter(errBoom, time.Hour), time.Second), time.Second},
		{"a wish inside the value of a panic does not count", &actor.PanicError{Value: actor.RetryAfter(errBoom, time.Hour)}, backoff},
		{"a contained wish does not count", actor.Contain(actor.RetryAfter(errBoom, time.Hour)), backoff},
	} {
		t.Run(c.says, func(t *testing.T) {
			var began []time.Time
			run(t, actor.Spec{
				Backoff: policy.Constant(backoff),
				Task: actor.Func(func(context.Context) error {
					switch began = append(began, time.Now()); len(began) {
					case 1:
						return c.err
					case 2:
						return errBoom // the wish counts once
					}
					return nil
				}),
			})
			if got := began[1].Sub(began[0]); got != c.want {
				t.Errorf("the second attempt came after %v, want %v", got, c.want)
			}
			if got := began[2].Sub(began[1]); got != backoff {
				t.Errorf("the third attempt came after %v, want the backoff", got)
			}
		})
	}
}

func TestDoneEndsATaskAsASuccessUnderAnyRestart(t *testing.T) {
	for _, r := range []policy.Restart{policy.OnFailure, policy.Always, policy.Never} {
		t.Run(r.String(), func(t *testing.T) {
			ends, o := run(t, actor.Spec{Restart: r, Task: actor.Func(func(context.Context) error { return actor.Done })})
			if !o.Success() || o.Err != nil || o.Attempts != 1 {
				t.Errorf("got %+v", o)
			}
			if ends[0].Err != nil {
				t.Errorf("a bare Done is told as the error %v", ends[0].Err)
			}
		})
	}
}

func TestAnErrorThatPanicsWhenAskedIsAPanicOfTheTask(t *testing.T) {
	if end := once(t, func(context.Context) error { return rotten{} }); end.Exit != policy.Panicked {
		t.Errorf("got %v (%v), want a panic", end.Exit, end.Err)
	}
}

// rotten is an error that cannot be unwrapped.
type rotten struct{}

func (rotten) Error() string { return "rotten" }
func (rotten) Unwrap() error { panic("rotten to the core") }
