package persist_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
	"github.com/taskvisor/taskvisor/policy"
)

// later is an error that asks for a pause.
type later struct{ after time.Duration }

func (e *later) Error() string             { return "later" }
func (e *later) RetryAfter() time.Duration { return e.after }

func TestWhatAnAttemptComesToSteersItsJob(t *testing.T) {
	returns := func(err error) func(context.Context) error { return func(context.Context) error { return err } }
	type outcome struct {
		end                persist.Ending
		attempts, failures int
		last               string // is part of what is kept of the last failure
		exit               policy.Exit
		runs               int
		took               time.Duration
	}
	rows := map[string]struct {
		run  func(context.Context) error
		opts []persist.Option
		want outcome
	}{
		"success completes": {returns(nil), nil, outcome{persist.Completed, 1, 0, "", 0, 1, 0}},
		"a failure is retried, and then it is a dead letter": {
			returns(errOops), nil, outcome{persist.DeadLetter, 4, 4, "oops", policy.Failed, 4, 3 * time.Second},
		},
		"two retries are three attempts": {
			returns(errOops), []persist.Option{persist.WithMaxRetries(2)}, outcome{persist.DeadLetter, 3, 3, "oops", policy.Failed, 3, 2 * time.Second},
		},
		"no retries are one attempt": {
			returns(errOops), []persist.Option{persist.WithMaxRetries(0)}, outcome{persist.DeadLetter, 1, 1, "oops", policy.Failed, 1, 0},
		},
		"NoRetry is one attempt": {
			returns(errOops), []persist.Option{persist.WithMaxRetries(policy.NoRetry)}, outcome{persist.DeadLetter, 1, 1, "oops", policy.Failed, 1, 0},
		},
		"an error may ask for a pause": {
			returns(fmt.Errorf("wait: %w", &later{time.Minute})), nil, outcome{persist.DeadLetter, 4, 4, "wait: later", policy.Failed, 4, 3 * time.Minute},
		},
		"an error may ask for none": {
			returns(&later{}), nil, outcome{persist.DeadLetter, 4, 4, "later", policy.Failed, 4, 0},
		},
		"Fatal fails at once": {
			returns(fmt.Errorf("no: %w", actor.Fatal(errOops))), nil, outcome{persist.Failed, 1, 1, "no: oops", policy.Fatal, 1, 0},
		},
		"backoff.PermanentError fails at once": {
			returns(backoff.Permanent(errOops)), nil, outcome{persist.Failed, 1, 1, "oops", policy.Fatal, 1, 0},
		},
		"Done completes": {returns(fmt.Errorf("enough: %w", actor.Done)), nil, outcome{persist.Completed, 1, 0, "", 0, 1, 0}},
		"Cancel cancels": {
			returns(fmt.Errorf("no need: %w", persist.Cancel(errOops))), nil, outcome{persist.Cancelled, 1, 0, "no need: cancelled by its handler: oops", policy.Failed, 1, 0},
		},
		"Cancel for no reason cancels": {
			returns(persist.Cancel(nil)), nil, outcome{persist.Cancelled, 1, 0, "cancelled by its handler", policy.Failed, 1, 0},
		},
		"a panic is a failure, and its stack is kept": {
			func(context.Context) error { panic("aargh") }, nil, outcome{persist.DeadLetter, 4, 4, "panic: aargh", policy.Panicked, 4, 3 * time.Second},
		},
		"the stack of a panic names the handler": {
			func(context.Context) error { panic("aargh") }, nil, outcome{persist.DeadLetter, 4, 4, "run_attempts_test.go", policy.Panicked, 4, 3 * time.Second},
		},
		"a panic with an error is a failure": {
			func(context.Context) error { panic(actor.Fatal(errOops)) }, nil, outcome{persist.DeadLetter, 4, 4, "oops", policy.Panicked, 4, 3 * time.Second},
		},
		"an error whose text panics is a failure": {
			returns(badError{}), nil, outcome{persist.DeadLetter, 4, 4, "no text", policy.Failed, 4, 3 * time.Second},
		},
		"Goexit is a failure": {
			func(context.Context) error { runtime.Goexit(); return nil }, nil, outcome{persist.DeadLetter, 4, 4, "Goexit", policy.Exited, 4, 3 * time.Second},
		},
		"a timeout is a failure": {
			func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, []persist.Option{persist.WithTimeout(time.Minute)},
			outcome{persist.DeadLetter, 4, 4, "timeout after 1m0s", policy.TimedOut, 4, 4*time.Minute + 3*time.Second},
		},
		"a late nil counts as done": {
			func(ctx context.Context) error { <-ctx.Done(); return nil }, []persist.Option{persist.WithTimeout(time.Minute)},
			outcome{persist.Completed, 1, 0, "", 0, 1, time.Minute},
		},
		"a late error says more than the timeout": {
			func(ctx context.Context) error { <-ctx.Done(); return errOops }, []persist.Option{persist.WithTimeout(time.Minute), persist.WithMaxRetries(0)},
			outcome{persist.DeadLetter, 1, 1, "oops", policy.TimedOut, 1, time.Minute},
		},
		"a late Fatal is still a timeout": {
			func(ctx context.Context) error { <-ctx.Done(); return actor.Fatal(errOops) }, []persist.Option{persist.WithTimeout(time.Minute)},
			outcome{persist.DeadLetter, 4, 4, "oops", policy.TimedOut, 4, 4*time.Minute + 3*time.Second},
		},
		"a timeout that is not heeded is a failure when the attempt returns": {
			func(ctx context.Context) error { time.Sleep(time.Hour); return ctx.Err() }, []persist.Option{persist.WithTimeout(time.Minute), persist.WithMaxRetries(1)},
			outcome{persist.DeadLetter, 2, 2, "timeout", policy.TimedOut, 2, 2*time.Hour + time.Second},
		},
		"silence is a failure": {
			func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, []persist.Option{persist.WithStall(time.Minute)},
			outcome{persist.DeadLetter, 4, 4, "no beat for 1m0s", policy.Stalled, 4, 4*time.Minute + 3*time.Second},
		},
		"progress is a sign of life": {
			func(ctx context.Context) error {
				for i := range 10 {
					persist.Progress(ctx, float64(i)/10, "")
					time.Sleep(59 * time.Second)
				}
				return ctx.Err()
			}, []persist.Option{persist.WithStall(time.Minute)}, outcome{persist.Completed, 1, 0, "", 0, 1, 590 * time.Second},
		},
		"a beat is a sign of life": {
			func(ctx context.Context) error {
				for range 10 {
					actor.Beat(ctx)
					time.Sleep(59 * time.Second)
				}
				return ctx.Err()
			}, []persist.Option{persist.WithStall(time.Minute)}, outcome{persist.Completed, 1, 0, "", 0, 1, 590 * time.Second},
		},
		"the failure of a helper is one of the job": {
			func(ctx context.Context) error {
				return actor.Go(ctx, func(context.Context) error { time.Sleep(time.Second); return errOops })
			}, []persist.Option{persist.WithMaxRetries(0)}, outcome{persist.DeadLetter, 1, 1, "oops", policy.Failed, 1, time.Second},
		},
		"the panic of a helper is one of the job": {
			func(ctx context.Context) error {
				return actor.Go(ctx, func(context.Context) error { panic("helpless") })
			}, []persist.Option{persist.WithMaxRetries(0)}, outcome{persist.DeadLetter, 1, 1, "helpless", policy.Panicked, 1, 0},
		},
		"what a helper says steers too": {
			func(ctx context.Context) error {
				_ = actor.Go(ctx, func(context.Context) error { return actor.Fatal(errOops) })
				<-ctx.Done()
				return ctx.Err()
			}, nil, outcome{persist.Failed, 1, 1, "oops", policy.Fatal, 1, 0},
		},
		"a job whose helpers succeed completes when they have": {
			func(ctx context.Context) error {
				return actor.Go(ctx, func(context.Context) error { time.Sleep(time.Hour); return nil })
			}, nil, outcome{persist.Completed, 1, 0, "", 0, 1, time.Hour},
		},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				runs := 0
				r := hang(t, persist.Config{Defaults: []persist.Option{oneSecond}, Handlers: []persist.Handler{
					chore.Handle(func(ctx context.Context, _ string) error { runs++; return row.run(ctx) }),
				}})
				j := r.wait(r.submit("it", row.opts...))
				got := outcome{end: j.End.Kind, attempts: j.Attempts, failures: j.Failures, last: row.want.last, runs: runs, took: time.Since(r.began)}
				if j.Last != nil {
					got.exit = j.Last.Exit
					if !strings.Contains(j.Last.Text, row.want.last) || row.want.last == "" {
						got.last = j.Last.Text
					}
					if len(j.Last.Text) > persist.MaxErrorText {
						t.Errorf("the text has %d bytes", len(j.Last.Text))
					}
				}
				same(t, "outcome", got, row.want)
			})
		})
	}
}

type badError struct{}

func (badError) Error() string { panic("no text") }

func TestEveryShapeOfBackoffPausesWithinItsBounds(t *testing.T) {
	for name, b := range map[string]policy.Backoff{
		"none":         policy.NoBackoff(),
		"constant":     policy.Constant(time.Minute),
		"linear":       policy.Linear(time.Second, 3*time.Second, 20*time.Second).WithJitter(policy.NoJitter),
		"exponential":  policy.Exponential(time.Second, 50*time.Second).WithJitter(policy.NoJitter),
		"equal jitter": policy.Exponential(time.Second, time.Hour),
		"full jitter":  policy.Linear(time.Second, time.Second, time.Hour).WithJitter(policy.FullJitter),
		"decorrelated": policy.Exponential(time.Second, time.Hour).WithJitter(policy.DecorrelatedJitter),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ended time.Time
				var pauses []time.Duration
				r := hang(t, persist.Config{Handlers: []persist.Handler{chore.Handle(func(context.Context, string) error {
					if !ended.IsZero() {
						pauses = append(pauses, time.Since(ended))
					}
					time.Sleep(time.Second)
					ended = time.Now()
					return errOops
				})}})
				j := r.wait(r.submit("it", persist.WithBackoff(b), persist.WithMaxRetries(12)))
				same(t, "end", j.End.Kind, persist.DeadLetter)
				for i, d := range pauses {
					if low, high := b.Bounds(i); d < low || d > high {
						t.Errorf("pause %d is %v, and not between %v and %v", i, d, low, high)
					}
				}
				same(t, "retries", len(pauses), 12)
			})
		})
	}
}

// series is a backoff of the user's own.
type series struct {
	pauses []time.Duration
	at     int
}

func (s *series) Reset() { s.at = 0 }
func (s *series) NextBackOff() time.Duration {
	if s.at == len(s.pauses) {
		return backoff.Stop
	}
	s.at++
	return s.pauses[s.at-1]
}

func TestACustomBackoffIsAskedWhateverTheFailure(t *testing.T) {
	for name, fail := range map[string]func(context.Context) error{
		"an error": func(context.Context) error { return errOops },
		"a panic":  func(context.Context) error { panic("aargh") },
		"Goexit":   func(context.Context) error { runtime.Goexit(); return nil },
		"a timeout": func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var at []time.Duration
				own := persist.WithBackoff(policy.Custom(func() backoff.BackOff {
					return &series{pauses: []time.Duration{time.Second, time.Minute, time.Hour}}
				}))
				k := persist.Define[string]("custom", own, persist.WithMaxRetries(policy.Unlimited), persist.WithTimeout(1))
				r := hang(t, persist.Config{})
				isError(t, "handle", r.Handle(k.Handle(func(ctx context.Context, _ string) error {
					at = append(at, time.Since(r.began).Truncate(time.Second))
					return fail(ctx)
				})), nil)
				j := r.wait(must(t)(k.Submit(t.Context(), r.Queue, "it")).ID)
				same(t, "attempts at", at, []time.Duration{0, time.Second, time.Minute + time.Second, time.Hour + time.Minute + time.Second})
				same(t, "end, when the backoff wants no more", j.End.Kind, persist.DeadLetter)
				same(t, "attempts", j.Attempts, 4)
			})
		})
	}
}

func TestACustomBackoffThatPanicsPausesForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := persist.Define[string]("custom", persist.WithMaxRetries(1), persist.WithBackoff(policy.Custom(func() backoff.BackOff { panic("no backoff") })))
		r := hang(t, persist.Config{Handlers: []persist.Handler{k.Handle(func(context.Context, string) error { return errOops })}})
		j := r.wait(must(t)(k.Submit(t.Context(), r.Queue, "it")).ID)
		same(t, "took", time.Since(r.began), policy.DefaultMax)
		same(t, "end", j.End.Kind, persist.DeadLetter)
	})
}

func TestSnoozeUsesUpNoAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var numbers []int
		r := hang(t, persist.Config{Handlers: []persist.Handler{chore.Handle(func(ctx context.Context, _ string) error {
			a, _ := persist.FromContext(ctx)
			numbers = append(numbers, a.Number())
			if len(numbers) < 10 {
				return fmt.Errorf("not yet: %w", persist.Snooze(time.Minute))
			}
			return errOops
		})}})
		j := r.wait(r.submit("it", persist.WithMaxRetries(1), oneSecond))
		same(t, "numbers", numbers, []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2})
		same(t, "took", time.Since(r.began), 9*time.Minute+time.Second)
		same(t, "end", j.End.Kind, persist.DeadLetter)
		same(t, "snoozed", r.told(events.JobSnoozed), 9)
		same(t, "delay", r.first(events.JobSnoozed).Delay, time.Minute)
	})
}

func TestWithoutALimitAJobIsRetriedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		r := hang(t, persist.Config{Handlers: []persist.Handler{chore.Handle(func(context.Context, string) error {
			if n++; n <= 3000 {
				return errOops
			}
			return nil
		})}})
		j := r.wait(r.submit("it", persist.WithMaxRetries(policy.Unlimited), persist.WithBackoff(policy.NoBackoff())))
		same(t, "end", j.End.Kind, persist.Completed)
		same(t, "attempts", j.Attempts, 3001)
	})
}

func TestAnAttemptKnowsItsJobItsNumberAndWhetherItIsTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type fact struct {
			number   int
			last     bool
			in, key  string
			failures int
		}
		var facts []fact
		r := hang(t, persist.Config{Defaults: []persist.Option{oneSecond}, Handlers: []persist.Handler{
			chore.Handle(func(ctx context.Context, _ string) error {
				a, ok := persist.FromContext(ctx)
				if !ok {
					t.Error("there is no attempt")
				}
				j := a.Job()
				facts = append(facts, fact{a.Number(), a.Last(), string(j.Payload), j.Key, j.Failures})
				return errOops
			}),
		}})
		r.wait(r.submit("it", persist.WithMaxRetries(2), persist.WithKey("k")))
		same(t, "facts", facts, []fact{{1, false, `"it"`, "k", 0}, {2, false, `"it"`, "k", 1}, {3, true, `"it"`, "k", 2}})
	})
}

func TestEscalationRestartsTheWorkersAndReleasesTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := hang(t, persist.Config{Workers: 10, Handlers: s.handlers(), Defaults: []persist.Option{oneSecond}})
		bad := r.submit("bad")
		for i := range 3 {
			r.submit(fmt.Sprint(i))
		}
		same(t, "running", s.now(), "0 1 2 bad")
		s.letGo(actor.Escalate(errOops), "bad")
		isError(t, "cause", s.cause("1"), actor.ErrShutdown)
		elapse(policy.DefaultFirst)
		same(t, "running when the workers are back", s.now(), "0 1 2")
		elapse(time.Second)
		same(t, "running when it is retried", s.now(), "0 1 2 bad")
		for i := range 3 {
			same(t, "attempts", r.look(persist.ID(i+2)).Attempts, 0)
			a, _ := r.Job(t.Context(), bad)
			same(t, "attempts of the bad one", a.Attempts, 1)
		}
		same(t, "released", r.told(events.JobReleased), 3)
		same(t, "opened", r.told(events.StoreOpened), 1)
		s.letAllGo()
		same(t, "ended", r.Counts()[persist.Ended], 4)
	})
}

func TestAJobThatEscalatesTooOftenIsADeadLetterAndTheQueueGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := hang(t, persist.Config{Handlers: []persist.Handler{chore.Handle(func(_ context.Context, in string) error {
			if in == "bad" {
				return actor.Escalate(errOops)
			}
			return nil
		})}})
		j := r.wait(r.submit("bad", persist.WithMaxRetries(3)))
		same(t, "end", j.End.Kind, persist.DeadLetter)
		same(t, "attempts", j.Attempts, 4)
		same(t, "end of another", r.wait(r.submit("good")).End.Kind, persist.Completed)
	})
}

func TestDeadLettersAreListedTheLatestFirstPageByPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := hang(t, persist.Config{Workers: 1, Defaults: []persist.Option{persist.WithMaxRetries(0)}, Handlers: []persist.Handler{
			chore.Handle(func(_ context.Context, in string) error {
				if in == "good" {
					return nil
				}
				return errOops
			}),
		}})
		for i := range 250 {
			if i%5 == 0 {
				r.submit("good")
			}
			r.submit("bad")
		}
		synctest.Wait()
		var ids []persist.ID
		before := uint64(0)
		for {
			page, err := r.DeadLetters(t.Context(), before, 33)
			if err != nil {
				t.Fatal(err)
			}
			for _, j := range page {
				ids = append(ids, j.ID)
				before = j.End.Seq
			}
			if len(page) < 33 {
				break
			}
		}
		same(t, "how many", len(ids), 250)
		for i := range ids[1:] {
			if ids[i] <= ids[i+1] {
				t.Fatalf("job %d is listed before job %d", ids[i], ids[i+1])
			}
		}
		page, err := r.DeadLetters(t.Context(), 0, 0)
		isError(t, "listing", err, nil)
		same(t, "a page", len(page), persist.DefaultPage)
	})
}

func TestARevivedJobKeepsItsIDAndItsKeyAndHasAllItsRetriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fail := errOops
		r := hang(t, persist.Config{Defaults: []persist.Option{oneSecond}, Handlers: []persist.Handler{
			chore.Handle(func(context.Context, string) error { return fail }),
		}})
		ctx := t.Context()
		id := r.submit("it", persist.WithKey("k"))
		same(t, "end", r.wait(id).End.Kind, persist.DeadLetter)

		// The key is free, and taken by another.
		other := r.submit("other", persist.WithKey("k"), persist.WithDelay(time.Hour))
		if other == id {
			t.Error("the key was not free")
		}
		var held *persist.KeyError
		if err := r.Revive(ctx, id); !errors.As(err, &held) || held.Holder != other {
			t.Errorf("revive while another has the key: %v", err)
		}
		isError(t, "revive one that waits", r.Revive(ctx, other), persist.ErrNotEnded)
		isError(t, "cancel", r.Cancel(ctx, other), nil)

		isError(t, "revive", r.Revive(ctx, id), nil)
		isError(t, "revive again", r.Revive(ctx, id), persist.ErrNotEnded)
		synctest.Wait()
		same(t, "the key", must(t)(chore.Submit(ctx, r.Queue, "third", persist.WithKey("k"))).ID, id)
		j := r.wait(id)
		same(t, "end", j.End.Kind, persist.DeadLetter)
		same(t, "attempts", []int{j.Attempts, j.Failures}, []int{8, 4})

		fail = nil
		isError(t, "revive for good", r.Revive(ctx, id), nil)
		j = r.wait(id)
		same(t, "end", j.End.Kind, persist.Completed)
		same(t, "attempts", j.Attempts, 9)
		isError(t, "revive one that has completed", r.Revive(ctx, id), persist.ErrCompleted)
		isError(t, "revive one that never was", r.Revive(ctx, 99), persist.ErrNotFound)
		same(t, "revived", r.told(events.JobRevived), 2)
		same(t, "history", r.figure("queue_history", "dead_letter"), 0)

		// A cancelled one can be revived too.
		isError(t, "revive a cancelled one", r.Revive(ctx, other), nil)
		same(t, "end", r.wait(other).End.Kind, persist.Completed)
	})
}

func TestARevivedJobThatIsPrunedMeanwhileIsNotRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := hang(t, persist.Config{DeadLetters: 1, Defaults: []persist.Option{persist.WithMaxRetries(0)}, Handlers: []persist.Handler{
			chore.Handle(func(context.Context, string) error { return errOops }),
		}})
		first := r.submit("first")
		r.wait(first)

		// While the end of a second one, for which the first is forgotten, is being stored, somebody revives it.
		hold := make(chan struct{})
		r.mem.BeforeCommit(func(_ context.Context, steps []persist.Step) error {
			for i := range steps {
				if steps[i].Verb == persist.Prune {
					<-hold
				}
			}
			return nil
		})
		second := r.submit("second")
		synctest.Wait()
		revived := make(chan error, 1)
		go func() { revived <- r.Revive(t.Context(), first) }()
		synctest.Wait()
		close(hold)
		isError(t, "revive", <-revived, persist.ErrPruned)
		r.wait(second)
		elapse(time.Minute)
		same(t, "waiting", r.figure("queue_jobs", "chore", "ready")+r.figure("queue_jobs", "chore", "delayed"), 0)
	})
}

func TestAPayloadThatCannotBeReadFailsItsJobForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := hang(t, persist.Config{Handlers: []persist.Handler{chore.Handle(func(context.Context, string) error { return nil })}})
		j := r.wait(must(t)(r.Submit(t.Context(), persist.Raw("chore", []byte("no json")))).ID)
		same(t, "end", j.End.Kind, persist.Failed)
		if !strings.Contains(j.Last.Text, "decode payload") {
			t.Error(j.Last.Text)
		}
	})
}

func TestMiddlewareIsAroundEveryAttemptTheFirstOutermost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log []string
		around := func(name string) persist.Middleware {
			return func(ctx context.Context, j *persist.Job, next func(context.Context) error) error {
				log = append(log, "+"+name)
				defer func() { log = append(log, "-"+name) }()
				return next(ctx)
			}
		}
		r := hang(t, persist.Config{
			Middleware: []persist.Middleware{around("a"), around("b")}, Defaults: []persist.Option{oneSecond, persist.WithMaxRetries(1)},
			Handlers: []persist.Handler{chore.Handle(func(context.Context, string) error { log = append(log, "run"); panic("aargh") })},
		})
		r.wait(r.submit("it"))
		same(t, "log", log, strings.Fields("+a +b run -b -a +a +b run -b -a"))
	})
}

func TestAJobWhoseNameIsTakenAmongTheWorkersWaitsAndHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := hang(t, persist.Config{Workers: 4, Handlers: s.handlers()})
		_, err := r.Head().Start(t.Context(), actor.Spec{Name: "x", Task: actor.Func(func(ctx context.Context) error { <-ctx.Done(); return nil })})
		isError(t, "a task of one's own", err, nil)
		k := persist.Define[string]("starter", persist.WithoutKey())
		isError(t, "handle", r.Handle(k.Handle(func(ctx context.Context, _ string) error {
			return startBeside(ctx, "2")
		})), nil)
		r.wait(must(t)(k.Submit(t.Context(), r.Queue, "")).ID)
		it := r.submit("it")
		r.submit("other")
		same(t, "running", s.now(), "other")
		w := r.why(it)
		same(t, "phase", w.Phase, persist.Delayed)
		same(t, "attempts", r.look(it).Attempts, 0)
		elapse(time.Minute)
		same(t, "running when the name is free", s.now(), "it other")
		s.letAllGo()
	})
}

func TestAHelperThatIsStoppedHasNotDoneTheJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, c := memstore.New(), newCrowd()
		cfg := persist.Config{Store: m, Handlers: []persist.Handler{chore.Handle(func(ctx context.Context, _ string) error {
			c.enter("")
			return actor.Go(ctx, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		})}}
		r := hang(t, cfg)
		id := r.submit("it", persist.WithTimeout(time.Minute), persist.WithMaxRetries(0))
		synctest.Wait()
		isError(t, "run", r.halt(), nil)
		r = hang(t, cfg)
		synctest.Wait()
		same(t, "runs", c.peak(""), 2)
		j := r.wait(id)
		same(t, "end by the timeout", fmt.Sprint(j.End.Kind, " ", j.Last.Exit, " ", j.Attempts), "dead_letter timed_out 1")
	})
}

func TestAnAttemptThatIsAbandonedStaysClaimedUntilItsHelpersHaveReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := make(chan struct{})
		r := hang(t, persist.Config{Defaults: []persist.Option{persist.WithGrace(time.Second)}, Handlers: []persist.Handler{
			chore.Handle(func(ctx context.Context, _ string) error {
				_ = actor.Go(ctx, func(context.Context) error { <-out; return nil })
				time.Sleep(time.Minute)
				return nil
			}),
		}})
		id := r.submit("it")
		synctest.Wait()
		cancelled := make(chan error, 1)
		go func() { cancelled <- r.Cancel(t.Context(), id) }()
		elapse(time.Hour)
		same(t, "listed", len(r.Active()), 1)
		same(t, "answers", len(cancelled), 0)
		close(out)
		isError(t, "cancel", <-cancelled, nil)
		synctest.Wait()
		same(t, "listed then", len(r.Active()), 0)
	})
}
