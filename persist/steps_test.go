package persist_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/boltstore"
	"github.com/taskvisor/taskvisor/persist/memstore"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// The time to live that the first attempt begins goes on whatever ends that attempt.
func TestATTLFromTheFirstAttemptGoesOn(t *testing.T) {
	for how, end := range map[string]func(*rig){
		"stop":  func(r *rig) { _ = r.halt() },
		"crash": func(r *rig) { r.crash() },
	} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := memstore.New()
				s := newStage()
				r := hang(t, persist.Config{Store: m, Handlers: s.handlers()})
				id := r.submit("it", persist.WithTTLFromFirstAttempt(time.Minute))
				same(t, "inside", s.now(), "it")
				elapse(30 * time.Second)
				end(r)
				r = hang(t, persist.Config{Store: m, Handlers: newStage().handlers(), Workers: persist.NoWorkers})
				elapse(29 * time.Second)
				same(t, "ended after 59 s", r.look(id).Ended(), false)
				elapse(2 * time.Second)
				if j := r.look(id); !j.Ended() || j.End.Kind != persist.Expired {
					t.Errorf("61 s after its first attempt began: %+v, %v", j.State, r.why(id))
				}
			})
		})
	}
}

// After a crash claims are stored before they count. Who cancels one meanwhile, or supersedes
// it, frees its places once.
func TestAClaimThatComesToNothingFreesItsPlacesOnce(t *testing.T) {
	for how, decide := range map[string]func(*testing.T, *rig, *persist.Type[string], persist.ID) error{
		"cancelled": func(t *testing.T, r *rig, _ *persist.Type[string], id persist.ID) error {
			return r.Cancel(t.Context(), id)
		},
		"superseded": func(t *testing.T, r *rig, typ *persist.Type[string], _ persist.ID) error {
			_, err := typ.Submit(t.Context(), r.Queue, "a", persist.WithDuplicates(persist.Supersede), persist.WithDelay(time.Hour))
			return err
		},
	} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := memstore.New()
				r := hang(t, persist.Config{Store: m, Workers: persist.NoWorkers})
				typ := persist.DefineIn[string](&persist.Domain{Name: "d", Limit: 1}, "x")
				id := must(t)(typ.Submit(t.Context(), r.Queue, "a", persist.WithGroup("g"))).ID
				r.crash()
				s := newStage()
				r = hang(t, persist.Config{Store: m, Handlers: append(s.handlers(), typ.Handle(s.act)), Workers: persist.NoWorkers, GroupLimit: 1})

				// Another commit is under way, so that the claim and the decision share the next.
				g := hold(m)
				go func() { _, _ = chore.Submit(t.Context(), r.Queue, "later", persist.WithDelay(100*time.Hour)) }()
				g.arrive()
				isError(t, "go on", r.SetWorkers(1), nil)
				synctest.Wait()
				same(t, "phase", r.why(id).Phase, persist.Running)
				done := make(chan error, 1)
				go func() { done <- decide(t, r, typ, id) }()
				synctest.Wait()
				g.pass(nil)
				g.arrive()
				g.end(nil)
				isError(t, how, <-done, nil)
				same(t, "ended as", r.wait(id).End.Kind, how)
				same(t, "begun", s.count("a"), 0)
				same(t, "places taken", r.figure("queue_workers_used"), 0)
				same(t, "told of the end of a task that has not begun", r.told(events.TaskFinished), 0)

				for _, in := range []string{"1", "2"} {
					r.submit(in)
				}
				same(t, "inside, with one worker", s.now(), "1")
				s.letAllGo()
				isError(t, "more workers", r.SetWorkers(4), nil)
				for _, in := range []string{"3", "4"} {
					r.submit(in, persist.WithGroup("g"))
				}
				same(t, "inside, of a group with a limit of 1", s.now(), "3")
				s.letAllGo()
				for _, in := range []string{"5", "6"} {
					must(t)(typ.Submit(t.Context(), r.Queue, in))
				}
				same(t, "inside, of a domain with a limit of 1", s.now(), "5")
				s.letAllGo()
			})
		})
	}
}

func TestWhyTellsASnoozeFromARetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := hang(t, persist.Config{Handlers: s.handlers(), Defaults: []persist.Option{oneSecond}})
		id := r.submit("it")
		for range 2 {
			s.letGo(errOops, "it")
			same(t, "why after a failure", r.why(id).Reason, persist.WaitsForRetry)
			elapse(time.Second)
			s.letGo(persist.Snooze(time.Minute), "it")
			same(t, "why after a snooze", r.why(id).Reason, persist.WaitsForTime)
			elapse(time.Minute)
		}
		s.letAllGo()
	})
}

// A strict submission that fails takes back only what is its own.
func TestAnUpgradeThatFailsLeavesAHigherOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memstore.New()
		r := hang(t, persist.Config{Store: m, Workers: persist.NoWorkers, RelaxedDelay: time.Millisecond})
		keyed := persist.Define[string]("keyed")
		submit := func(p persist.Priority, opts ...persist.Option) (persist.Result, error) {
			return keyed.Submit(t.Context(), r.Queue, "x", append(opts, persist.WithPriority(p))...)
		}
		id := must(t)(submit(persist.Normal, persist.WithDelay(time.Hour))).ID
		g := hold(m)
		done := make(chan error, 1)
		go func() { _, err := submit(64); done <- err }()
		g.arrive()
		same(t, "relaxed", must(t)(submit(3, persist.WithDurability(persist.Relaxed))).Kind, persist.Upgraded)
		g.end(errOops)
		isError(t, "strict", <-done, errOops)
		elapse(time.Second)
		same(t, "stored", r.look(id).State.Priority, 3)
		same(t, "one that is less urgent", must(t)(submit(10)).Kind, persist.Duplicate)
	})
}

func TestAnErrorWithoutATextIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outcomes := []error{errors.New("first"), actor.Fatal(errors.New("")), errors.New(""), errors.New("")}
		r := hang(t, persist.Config{Handlers: []persist.Handler{chore.Handle(func(context.Context, string) (err error) {
			err, outcomes = outcomes[0], outcomes[1:]
			return err
		})}, Defaults: []persist.Option{persist.WithMaxRetries(1), oneSecond}})
		for _, kind := range []persist.Ending{persist.Failed, persist.DeadLetter} {
			j := r.wait(r.submit("a"))
			same(t, "end", j.End.Kind, kind)
			if j.Last == nil || j.Last.Attempt != 2 || j.Last.Text != "" {
				t.Errorf("%v: what went wrong last: %+v", kind, j.Last)
			}
		}
	})
}

// Who has run out of time is not put off by itself, for it would be for ever.
func TestASnoozeAfterTheTimeoutIsAFailure(t *testing.T) {
	for limit, opt := range map[string]persist.Option{"timeout": persist.WithTimeout(time.Second), "stall": persist.WithStall(time.Second)} {
		t.Run(limit, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := 0
				r := hang(t, persist.Config{Handlers: []persist.Handler{chore.Handle(func(ctx context.Context, _ string) error {
					n++
					<-ctx.Done()
					return persist.Snooze(time.Second)
				})}, Defaults: []persist.Option{opt, oneSecond, persist.WithMaxRetries(2)}})
				j := r.wait(r.submit("a"))
				same(t, "end", j.End.Kind, persist.DeadLetter)
				same(t, "attempts", n, 3)
			})
		})
	}
}

// Of the settings of its supervisor those that would not count are refused.
func TestSettingsOfTheSupervisorThatWouldNotCountAreRefused(t *testing.T) {
	for field, c := range map[string]supervisor.Config{
		"Children":     {Children: []actor.Spec{{Name: "a", Task: actor.Func(func(context.Context) error { return nil })}}},
		"Strategy":     {Strategy: supervisor.OneForAll},
		"Limit":        {Limit: 1},
		"LameDuck":     {LameDuck: time.Minute},
		"AutoShutdown": {AutoShutdown: supervisor.AutoShutdownAll},
		"EndWhenEmpty": {EndWhenEmpty: true},
		"Defaults":     {Defaults: supervisor.Defaults{Timeout: time.Second}},
	} {
		var refused *policy.FieldError
		err := persist.New(persist.Config{Store: memstore.New(), Supervisor: c}).Validate()
		if !errors.As(err, &refused) || refused.Field != "Supervisor."+field {
			t.Errorf("%s: %v", field, err)
		}
	}
	counts := supervisor.Config{
		Name: "queue", Bus: &events.Bus{}, Intensity: policy.Intensity{Restarts: 9, Within: time.Hour},
		StopTimeout: time.Minute, Concurrency: 7,
	}
	if err := persist.New(persist.Config{Store: memstore.New(), Supervisor: counts}).Validate(); err != nil {
		t.Error(err)
	}
}

// What was not made as it should be answers with an error, and none of it panics.
func TestZeroValuesAnswer(t *testing.T) {
	ctx := t.Context()
	typ := persist.Define[string]("text")
	if _, err := typ.Submit(ctx, nil, "a"); !errors.As(err, new(*supervisor.ConfigError)) {
		t.Errorf("submitted to no queue: %v", err)
	}
	q := persist.New(persist.Config{Store: memstore.New(), Types: []persist.Known{&persist.Type[string]{}}})
	if err := q.Validate(); !errors.As(err, new(*persist.TypeError)) {
		t.Errorf("a zero type: %v", err)
	}
	zero := new(persist.Queue)
	_, job := zero.Job(ctx, 1)
	_, await := zero.Await(ctx, 1)
	_, past := zero.Past(ctx, persist.PastQuery{})
	_, why := zero.Why(ctx, 1)
	_, _, lookup := zero.Lookup(ctx, typ.New("a"))
	_, explain := zero.Explain("text")
	for what, err := range map[string]error{
		"Job": job, "Await": await, "Past": past, "Why": why, "Lookup": lookup, "Explain": explain,
		"Cancel": zero.Cancel(ctx, 1), "Revive": zero.Revive(ctx, 1), "Release": zero.Release(ctx, 1),
		"SetWorkers": zero.SetWorkers(1), "SetGroupLimit": zero.SetGroupLimit("g", 1), "SetDomainLimit": zero.SetDomainLimit("d", 1),
		"Handle": zero.Handle(typ.Handle(func(context.Context, string) error { return nil })),
	} {
		if err == nil {
			t.Errorf("%s of a zero queue is nil", what)
		}
	}
	if n := len(zero.Active()) + len(zero.Parked()) + len(zero.Types()) + zero.Counts()[persist.Ready]; n != 0 {
		t.Errorf("a zero queue has %d of something", n)
	}
	zero.Measure(func(*events.Metric, float64, ...string) {})
	zero.Provide("a value")

	at, ok := persist.FromContext(ctx)
	if ok || at.Job() != nil || at.Number() != 0 || at.Last() || at.Queue() != nil {
		t.Errorf("an attempt where there is none: %+v", at)
	}
	if got := (persist.Wait{}).String(); got != "nothing is known of it" {
		t.Errorf("it is said of nothing that %s", got)
	}
}

// Who lists nothing for an admin page gets [] in JSON, and not null.
func TestAnEmptyListIsNotNil(t *testing.T) {
	for name, typ := range map[string]persist.Known{"a type": chore, "with an alias": persist.Define[string]("text", persist.WithAliases("old"))} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := hang(t, persist.Config{Types: []persist.Known{typ}})
				dead, err := r.DeadLetters(t.Context(), 0, 0)
				past, pastErr := r.Past(t.Context(), persist.PastQuery{Type: "text"})
				if dead == nil || past == nil || r.Active() == nil || r.Parked() == nil || errors.Join(err, pastErr) != nil {
					t.Errorf("dead letters %v, past %v, active %v, parked %v, %v, %v", dead, past, r.Active(), r.Parked(), err, pastErr)
				}
			})
		})
	}
}

func TestWhoWaitsForAQueueThatCannotRunIsTold(t *testing.T) {
	t.Run("its config is refused", func(t *testing.T) {
		q := persist.New(persist.Config{Store: memstore.New(), Workers: -1})
		var refused *supervisor.ConfigError
		if err := q.WaitReady(t.Context()); !errors.As(err, &refused) {
			t.Error(err)
		}
	})
	t.Run("its file is damaged", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "jobs.db")
		if err := os.WriteFile(path, []byte(strings.Repeat("garbage", 5000)), 0o600); err != nil {
			t.Fatal(err)
		}
		q := persist.New(persist.Config{Store: boltstore.File(path, boltstore.Options{})})
		ctx, ended := context.WithCancelCause(t.Context())
		go func() { ended(q.Run(ctx)) }()
		var damaged *persist.CorruptError
		if err := q.WaitReady(ctx); !errors.As(err, &damaged) && !errors.Is(err, supervisor.ErrNotRunning) {
			t.Error(err)
		}
	})
}

func TestALostErrorTellsWhatIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memstore.New()
		m.Limit(2)
		r := hang(t, persist.Config{Store: m, Workers: persist.NoWorkers})
		for range 5 {
			r.submit("a", persist.WithDurability(persist.Relaxed))
		}
		elapse(time.Minute)
		var lost *persist.LostError
		if err := r.halt(); !errors.As(err, &lost) || lost.Count != 0 || lost.Submissions != 3 || !strings.Contains(err.Error(), "3 relaxed submissions") {
			t.Errorf("%v: %+v", err, lost)
		}
	})
}

// A handler may write to what it is given, also when that is not stored yet.
func TestAHandlerHasAPayloadOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := hang(t, persist.Config{RelaxedDelay: time.Minute, Handlers: []persist.Handler{
			persist.HandleRaw("raw", func(_ context.Context, payload []byte) error {
				copy(payload, "spoilt")
				return errOops
			}),
		}, Defaults: []persist.Option{persist.WithMaxRetries(0)}})
		id := must(t)(r.Submit(t.Context(), persist.Raw("raw", []byte("intact"), persist.WithDurability(persist.Relaxed)))).ID
		elapse(time.Hour)
		same(t, "the payload", string(r.wait(id).Payload), "intact")
	})
}

// slowToRead is a store from which jobs are read until their time is over.
type slowToRead struct{ persist.Backend }

type slowToReadStore struct{ persist.Store }

func (s slowToRead) Open(ctx context.Context) (persist.Store, error) {
	store, err := s.Backend.Open(ctx)
	return slowToReadStore{store}, err
}

func (s slowToReadStore) Job(ctx context.Context, id persist.ID) (*persist.Job, error) {
	if info, ok := actor.FromContext(ctx); ok && strings.Contains(info.Path, "/workers/") {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	return s.Store.Job(ctx, id)
}

// What the store took too long for is no failure of the job.
func TestWhoIsNotEnteredInTimeHasNotFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := hang(t, persist.Config{Store: slowToRead{memstore.New()}, Cache: persist.NoCache, Handlers: s.handlers(), Defaults: []persist.Option{persist.WithTimeout(time.Second), persist.WithMaxRetries(0)}})
		id := r.submit("a")
		elapse(time.Minute)
		same(t, "entered", s.count("a"), 0)
		if j := r.look(id); j.Ended() || j.Attempts != 0 || j.Failures != 0 {
			t.Errorf("%+v", j.State)
		}
	})
}

// An hour after a slow commit for many, nobody waits for them.
func TestWhoComesLongAfterACrowdIsNotHeldUp(t *testing.T) {
	for _, took := range []time.Duration{10 * time.Millisecond, time.Minute} {
		t.Run(took.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := memstore.New()
				m.BeforeCommit(func(context.Context, []persist.Step) error { time.Sleep(took); return nil })
				r := hang(t, persist.Config{Store: m, Workers: persist.NoWorkers})
				results := make(chan error, 20)
				for range cap(results) {
					go func() { _, err := chore.Submit(t.Context(), r.Queue, "one of many"); results <- err }()
				}
				for range cap(results) {
					isError(t, "submit", <-results, nil)
				}
				m.BeforeCommit(nil)
				elapse(time.Hour)
				began := time.Now()
				id := r.submit("alone")
				isError(t, "cancel", r.Cancel(t.Context(), id), nil)
				same(t, "took", time.Since(began), time.Duration(0))
			})
		})
	}
}

// A program without a subscriber is told what goes wrong with its jobs.
func TestMainLogsWhatGoesWrongWithJobs(t *testing.T) {
	var text strings.Builder
	log := slog.New(slog.NewTextHandler(&text, nil))
	bad := persist.Define[string]("bad", persist.WithMaxRetries(1), persist.WithBackoff(policy.NoBackoff()))
	queue := persist.New(persist.Config{Store: memstore.New(), Handlers: []persist.Handler{
		bad.Handle(func(context.Context, string) error { return errors.New("no luck") }),
	}})
	ctx, stop := context.WithCancel(t.Context())
	producer := actor.Spec{Name: "producer", Restart: policy.Never, Task: actor.Func(func(ctx context.Context) error {
		defer stop()
		result, err := bad.Submit(ctx, queue, "it")
		if err == nil {
			_, err = queue.Await(ctx, result.ID)
		}
		_, unknown := queue.Submit(ctx, persist.Raw("nobody", nil))
		return errors.Join(err, unknown)
	})}
	app := supervisor.New(supervisor.Config{Name: "app", Logger: log, Strategy: supervisor.RestForOne, Children: []actor.Spec{queue.Spec("queue"), producer}})
	if err := app.Main(ctx); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"level=WARN msg=job_retry_scheduled", "level=ERROR msg=job_dead_lettered", "level=WARN msg=job_type_unknown", "no luck"} {
		if !strings.Contains(text.String(), line) {
			t.Errorf("there is no %q in\n%s", line, text.String())
		}
	}
}
