package persisttest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
	"github.com/taskvisor/taskvisor/policy"
)

func TestAHeldQueueRunsNothingBeforeItIsTold(t *testing.T) {
	inBoth(t, func(t *testing.T) {
		var ran []int
		cfg := handling(func(_ context.Context, n note) error { ran = append(ran, n.N); return nil })
		cfg.Workers = 1
		q := New(t, cfg)
		for i := range 4 {
			q.Add(notes.New(note{i}))
		}
		say := func(want string) {
			t.Helper()
			q.settle()
			if got := fmt.Sprint(ran); got != want {
				t.Errorf("%s ran, want %s", got, want)
			}
		}
		say("[]")
		if j := q.WorkNext(); j.ID != 1 || j.End.Kind != persist.Completed {
			t.Errorf("%+v", j)
		}
		say("[0]")
		if j := q.Work(2); j.ID != 2 || j.End.Kind != persist.Completed {
			t.Errorf("%+v", j)
		}
		say("[0 1]")
		q.Drain()
		say("[0 1 2 3]")
		q.Add(notes.New(note{4}))
		say("[0 1 2 3]")
		q.Resume()
		if _, err := q.Await(t.Context(), 5); err != nil {
			t.Error(err)
		}
		q.Hold()
		q.Add(notes.New(note{5}))
		say("[0 1 2 3 4]")
		if n := q.Events.Count(events.JobCompleted); n != 5 {
			t.Errorf("%d completions are recorded", n)
		}
	})
}

func TestAnAttemptIsOneAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(t, handling(fail))
		id := q.Add(notes.New(note{1}, persist.WithMaxRetries(2), persist.WithDelay(time.Hour)))
		began := time.Now()
		for attempt, at := range []time.Duration{time.Hour, time.Hour + time.Second} {
			j := q.Work(id)
			if j.Ended() || j.Attempts != attempt+1 || j.Last.Text != "boom" || time.Since(began) != at {
				t.Errorf("attempt %d after %v: %+v", attempt+1, time.Since(began), j)
			}
		}
		if j := q.WorkNext(); !j.Ended() || j.End.Kind != persist.DeadLetter {
			t.Errorf("%+v", j)
		}
	})
}

// A handler's own jobs wait, as those of the test do.
func TestWhatAJobSubmitsIsHeldToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(t, handling(func(ctx context.Context, n note) error {
			a, _ := persist.FromContext(ctx)
			if n.N == 0 {
				return nil
			}
			_, err := notes.Submit(ctx, a.Queue(), note{n.N - 1})
			return err
		}))
		q.Work(q.Add(notes.New(note{3})))
		if got := fmt.Sprint(Inputs(q, notes)); got != "[{3} {2}]" {
			t.Error(got)
		}
		q.Drain()
		if got := fmt.Sprint(Inputs(q, notes)); got != "[{3} {2} {1} {0}]" {
			t.Error(got)
		}
	})
}

func TestDrainLeavesWhatWaitsAndDrainAllDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failed := false
		q := New(t, handling(func(_ context.Context, n note) error {
			if n.N == 1 && !failed {
				failed = true
				return errBoom
			}
			return nil
		}))
		retried := q.Add(notes.New(note{1}))
		delayed := q.Add(notes.New(note{2}, persist.WithDelay(time.Hour)))
		expires := q.Add(others.New(note{3}, persist.WithTTL(time.Minute)))
		unhandled := q.Add(others.New(note{4}))
		q.Drain()
		if n := q.Counts(); n[persist.Delayed] != 2 || n[persist.Ready] != 2 {
			t.Errorf("%v", n)
		}
		q.DrainAll()
		for _, id := range []persist.ID{retried, delayed} {
			q.AssertEnded(id, persist.Completed)
		}
		q.AssertEnded(expires, persist.Expired)
		if w := q.why(unhandled); w.Reason != persist.WaitsForHandler {
			t.Error(w)
		}
	})
}

func TestWhatHasNoHandlerIsNotWaitedFor(t *testing.T) {
	long := persist.WithDelay(30 * 24 * time.Hour)
	for _, row := range []struct {
		sentence string
		cfg      persist.Config
		then     func(q *Queue)
		says     []string
	}{
		{"a type that is known", persist.Config{Types: []persist.Known{others}}, (*Queue).DrainAll, nil},
		{"a type that is not", persist.Config{}, (*Queue).DrainAll, nil},
		{"a handler of another type", handling(succeed), (*Queue).DrainAll, nil},
		{"one that runs by itself", handling(succeed), func(q *Queue) { q.Resume(); q.DrainAll() }, nil},
		{"nothing to work", handling(succeed), func(q *Queue) { q.WorkNext() }, []string{"no job is left to run"}},
		{"a handler", persist.Config{Handlers: []persist.Handler{others.Handle(succeed)}}, (*Queue).DrainAll,
			[]string{"there were jobs to run after 168h0m0s", "job 1 is delayed"}},
		{"a handler that knows no type", persist.Config{Handlers: []persist.Handler{persist.HandleRaw("other", nothing)}}, (*Queue).DrainAll,
			[]string{"there were jobs to run after 168h0m0s"}},
		{"a handler of the type under its new name", persist.Config{Handlers: []persist.Handler{renamed.Handle(succeed)}}, (*Queue).DrainAll,
			[]string{"there were jobs to run after 168h0m0s"}},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				expect(t, verdict(func(t testing.TB) {
					q := New(t, row.cfg)
					q.Add(persist.Raw("other", []byte("{}"), long))
					row.then(q)
				}), row.says...)
				if took := time.Since(began); len(row.says) == 0 && took > time.Second {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

func TestWhatIsLeftDoesNotEndTheWaitForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(t, handling(succeed))
		left := q.Add(others.New(note{1}, persist.WithDelay(8*24*time.Hour)))
		late := q.Add(notes.New(note{2}, persist.WithDelay(6*24*time.Hour)))
		q.DrainAll()
		q.AssertEnded(late, persist.Completed)
		if w := q.why(left); w.Phase != persist.Delayed {
			t.Error(w)
		}
	})
}

func TestAHandlerThatIsAddedLaterCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(t, persist.Config{})
		id := q.Add(notes.New(note{1}, persist.WithDelay(time.Hour)))
		if err := q.Handle(notes.Handle(succeed)); err != nil {
			t.Fatal(err)
		}
		q.DrainAll()
		q.AssertEnded(id, persist.Completed)
	})
}

func TestManyJobsAreDrainedInReasonableTime(t *testing.T) {
	inBoth(t, func(t *testing.T) {
		q := New(t, handling(succeed))
		subs := make([]persist.Submission, 2000)
		for i := range subs {
			subs[i] = notes.New(note{i})
		}
		if _, err := q.SubmitAll(t.Context(), subs); err != nil {
			t.Fatal(err)
		}
		q.Drain()
		if n := q.Counts()[persist.Ended]; n != len(subs) {
			t.Errorf("%d have ended", n)
		}
	})
}

func TestWorkIsAQueueForOneJob(t *testing.T) {
	inBoth(t, func(t *testing.T) {
		if j := Work(t, notes.New(note{1}), notes.Handle(succeed)); j.End.Kind != persist.Completed {
			t.Errorf("%+v", j)
		}
	})
}

func TestWhatAQueueFailsItsTestFor(t *testing.T) {
	for _, row := range []struct {
		sentence string
		cfg      persist.Config
		then     func(q *Queue)
		says     []string
	}{
		{"a queue that works, for nothing", handling(succeed), func(q *Queue) { q.Add(notes.New(note{1})); q.DrainAll() }, nil},
		{"jobs that are left, for nothing", handling(succeed), func(q *Queue) { q.Add(notes.New(note{1})) }, nil},
		{"a configuration that is refused", persist.Config{Workers: -1}, func(*Queue) {}, []string{"the queue is refused: ", "Workers"}},
		{"a submission that is refused", handling(succeed), func(q *Queue) { q.Add(notes.New(note{1}, persist.WithDelay(-1))) }, []string{"Delay"}},
		{"a submission that is rejected", handling(succeed), func(q *Queue) {
			q.Add(notes.New(note{1}))
			q.Add(notes.New(note{1}, persist.WithDuplicates(persist.Reject)))
		}, []string{"rejected: job 1 has its key"}},
		{"nothing to work", handling(succeed), func(q *Queue) { q.WorkNext() }, []string{"no job is left to run\nno job is left\n"}},
		{"only what cannot be worked", handling(succeed), func(q *Queue) { q.Add(others.New(note{1})); q.WorkNext() }, []string{
			"no job is left to run", `job 1 is ready: there is no handler for type "other"`, "the last events:", "job_submitted",
		}},
		{"a job that is not the next", handling(succeed), func(q *Queue) {
			q.Add(notes.New(note{1}))
			q.Work(q.Add(notes.New(note{2})))
		}, []string{"it is not the turn of job 2: job 1 goes before it"}},
		{"a job that has ended", handling(succeed), func(q *Queue) {
			id := q.Add(notes.New(note{1}))
			q.Work(id)
			q.Work(id)
		}, []string{"job 1 cannot run: it has ended"}},
		{"a job without a handler", handling(succeed), func(q *Queue) { q.Work(q.Add(others.New(note{1}))) }, []string{"job 1 cannot run: there is no handler"}},
		{"a job that never was", handling(succeed), func(q *Queue) { q.Work(7) }, []string{"find job 7"}},
		{"one attempt of a queue that runs", handling(succeed), func(q *Queue) { q.Resume(); q.WorkNext() }, []string{"the queue runs by itself"}},
		{"retries without an end", handling(fail), func(q *Queue) {
			q.Patience = time.Minute
			q.Add(notes.New(note{1}, persist.WithMaxRetries(policy.Unlimited)))
			q.DrainAll()
		}, []string{"there were jobs to run after 1m0s", "job 1 is delayed: it pauses before a retry", "(boom)", "job_retry_scheduled"}},
		{"an attempt without an end", handling(func(ctx context.Context, _ note) error { <-ctx.Done(); return ctx.Err() }), func(q *Queue) {
			q.Work(q.Add(notes.New(note{1})))
		}, []string{"no attempt came to an end within 168h0m0s", "job 1 is running"}},
		{"a hold that is not heeded", handling(func(ctx context.Context, _ note) error { <-ctx.Done(); return ctx.Err() }), func(q *Queue) {
			q.Add(notes.New(note{1}))
			q.Resume()
			q.settle()
			q.Hold()
		}, []string{"jobs still ran after 168h0m0s", "job 1 is running"}},
		{"a queue that ends by itself", handling(succeed), func(q *Queue) {
			q.life.stop()
			q.settle()
			q.Add(notes.New(note{1}))
		}, []string{"the queue does not run"}},
		{"an end that cannot be stored", handling(succeed), func(q *Queue) {
			q.Add(notes.New(note{1}))
			q.FailCommits(1000, errBoom)
			q.Resume()
			q.settle()
		}, []string{"the queue did not end cleanly: the end of 1 attempt could not be stored"}},
		{"a restart that ends like that, once", handling(succeed), func(q *Queue) {
			q.Add(notes.New(note{1}))
			q.FailCommits(1000, errBoom)
			q.Resume()
			q.settle()
			q.Restart()
		}, []string{"the queue did not end cleanly: the end of 1 attempt could not be stored"}},
		{"a store that does not open", persist.Config{Store: struct{ persist.Backend }{broken{}}}, func(q *Queue) {}, []string{"the queue did not start"}},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				expect(t, verdict(func(t testing.TB) { row.then(New(t, row.cfg)) }), row.says...)
			})
		})
	}
}

// broken is a backend that does not open.
type broken struct{}

func (broken) Open(context.Context) (persist.Store, error) { return nil, errors.New("no disk") }

func TestAssertions(t *testing.T) {
	is := func(n int) func(note) bool { return func(have note) bool { return have.N == n } }
	for _, row := range []struct {
		sentence string
		then     func(q *Queue)
		says     []string
	}{
		{"what was submitted was", func(q *Queue) {
			if id := AssertSubmitted(q, notes, is(2)); id != 2 {
				q.t.Errorf("it is job %d", id)
			}
			AssertSubmitted(q, notes, nil)
		}, nil},
		{"what was not was not", func(q *Queue) { AssertSubmitted(q, notes, is(7)) },
			[]string{`no such job of type "note" was submitted, but`, "job 1: {N:1}", "job 2: {N:2}"}},
		{"what has run still was", func(q *Queue) { q.DrainAll(); AssertSubmitted(q, notes, is(1)) }, nil},
		{"another type", func(q *Queue) { AssertSubmitted(q, others, nil) }, []string{`no such job of type "other" was submitted: there is none of that type`}},
		{"nothing of a type", func(q *Queue) { AssertNotSubmitted(q, others, nil); AssertNotSubmitted(q, notes, is(7)) }, nil},
		{"something of a type", func(q *Queue) { AssertNotSubmitted(q, notes, nil) }, []string{`job 1 of type "note" should not have been submitted: {N:1}`}},
		{"an input that is none", func(q *Queue) {
			q.Add(persist.Raw("note", []byte("{")))
			Inputs(q, notes)
		}, []string{"the payload of job 3 cannot be decoded: unexpected end"}},
		{"an end", func(q *Queue) { q.Drain(); q.AssertEnded(1, persist.Completed) }, nil},
		{"another end", func(q *Queue) { q.DrainAll(); q.AssertEnded(2, persist.Completed) },
			[]string{"job 2 (note) has not ended as completed, but as dead_letter", "its last failure, in attempt 2: boom"}},
		{"no end", func(q *Queue) { q.Drain(); q.AssertEnded(2, persist.Completed) },
			[]string{"job 2 (note) has not ended: it pauses before a retry", "its last failure, in attempt 1: boom"}},
		{"no job", func(q *Queue) { q.AssertEnded(9, persist.Completed) }, []string{"find job 9"}},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				expect(t, verdict(func(t testing.TB) {
					q := New(t, handling(func(_ context.Context, n note) error {
						if n.N == 2 {
							return errBoom
						}
						return nil
					}))
					q.Add(notes.New(note{1}))
					q.Add(notes.New(note{2}, persist.WithMaxRetries(1)))
					row.then(q)
				}), row.says...)
			})
		})
	}
}

func TestJobsUnderAnOldNameAreOfTheirType(t *testing.T) {
	for name, cfg := range map[string]persist.Config{
		"known":     {Types: []persist.Known{renamed}},
		"handled":   {Handlers: []persist.Handler{renamed.Handle(succeed)}},
		"not_known": {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg.Store = memstore.New()
				before := New(t, persist.Config{Store: cfg.Store, Types: []persist.Known{notes, others}})
				before.Add(notes.New(note{1}))
				before.Add(others.New(note{2}))
				before.life.end(time.Second)

				q := New(t, cfg)
				q.Add(renamed.New(note{3}))
				q.Add(persist.Raw("third", []byte("{}")))
				if got := fmt.Sprint(Inputs(q, renamed)); got != "[{1} {2} {3}]" {
					t.Error(got)
				}
				if id := AssertSubmitted(q, renamed, func(n note) bool { return n.N == 2 }); id != 2 {
					t.Errorf("it is job %d", id)
				}
				expect(t, verdict(func(w testing.TB) {
					q.t = w
					AssertNotSubmitted(q, renamed, func(n note) bool { return n.N == 1 })
					q.t = t
				}), `job 1 of type "new" should not have been submitted: {N:1}`)
				if n := len(q.Jobs("note")); n != 1 {
					t.Errorf("%d jobs are stored under the old name", n)
				}
			})
		})
	}
}

func TestInputsAreDecodedAsTheQueueDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(t, persist.Config{Defaults: []persist.Option{persist.WithCodec(reverse{})}})
		q.Add(notes.New(note{12}))
		if got := Inputs(q, notes); len(got) != 1 || got[0].N != 12 {
			t.Error(got)
		}
		if text := string(q.Jobs("note")[0].Payload); text != "}21:\"N\"{" {
			t.Error(text)
		}
		if n := len(q.Jobs("other")); n != 0 {
			t.Error(n)
		}
	})
}

// reverse is JSON from right to left.
type reverse struct{}

func (reverse) Name() string { return "reverse" }

func (reverse) Marshal(v any) ([]byte, error) {
	data, err := persist.JSON.Marshal(v)
	slices.Reverse(data)
	return data, err
}

func (reverse) Unmarshal(data []byte, v any) error {
	data = slices.Clone(data)
	slices.Reverse(data)
	return persist.JSON.Unmarshal(data, v)
}

// An ID that was given to what could not be stored is no end of the list.
func TestDrainAllFindsWhatIsBehindAHole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ran := 0
		typ := persist.Define[string]("x")
		q := New(t, persist.Config{Handlers: []persist.Handler{typ.Handle(func(context.Context, string) error { ran++; return nil })}})
		first := q.Add(typ.New("a"))
		q.FailCommits(1, errBoom)
		if _, err := typ.Submit(t.Context(), q.Queue, "b"); err == nil {
			t.Fatal("it was stored")
		}
		if err := q.Cancel(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		q.Add(typ.New("c", persist.WithDurability(persist.Relaxed), persist.WithDelay(time.Hour)))
		q.DrainAll()
		if ran != 1 {
			t.Errorf("%d ran, want 1: %v", ran, q.Counts())
		}
	})
}
