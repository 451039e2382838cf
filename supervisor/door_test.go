package supervisor_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// hall is a keeper that lets in everybody, and a guard whom nobody waits for.
type hall struct {
	door   *supervisor.Door
	closed time.Time
}

func (h *hall) Open(d *supervisor.Door) supervisor.Guard { h.door = d; return h }
func (h *hall) Left(supervisor.Candidate) bool           { return false }
func (h *hall) Next()                                    {}
func (h *hall) Waiting() int                             { return 0 }
func (h *hall) Closing() int                             { h.closed = time.Now(); return 0 }

// enter lets in a task.
func (h *hall) enter(t *testing.T, spec actor.Spec) (supervisor.Candidate, error) {
	t.Helper()
	k, err := h.door.Prepare(&spec)
	if err != nil {
		t.Fatal(err)
	}
	h.door.Lock()
	defer h.door.Unlock()
	return k, k.Enter()
}

func (h *hall) mustEnter(t *testing.T, spec actor.Spec) supervisor.Candidate {
	t.Helper()
	k, err := h.enter(t, spec)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// lasting is a task that takes its time, and is cut short by the end of its context.
func lasting(d time.Duration) actor.Func {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// How long the stop of a supervisor with a door takes, by what is inside.
func TestALameDuckBehindADoorIsOverWhenNobodyIsInside(t *testing.T) {
	for _, row := range []struct {
		sentence string
		cfg      supervisor.Config
		inside   []time.Duration
		took     time.Duration
		outcomes []events.Outcome
	}{
		{"nobody is inside", supervisor.Config{LameDuck: 10 * time.Second}, nil, 0, nil},
		{
			"the last one has finished", supervisor.Config{LameDuck: 10 * time.Second},
			[]time.Duration{time.Second, 3 * time.Second}, 3 * time.Second, []events.Outcome{events.Completed, events.Completed},
		},
		{
			"the last one has finished, in order", supervisor.Config{LameDuck: 10 * time.Second, Strategy: supervisor.RestForOne},
			[]time.Duration{3 * time.Second, time.Second}, 3 * time.Second, []events.Outcome{events.Completed, events.Completed},
		},
		{
			"one does not finish", supervisor.Config{LameDuck: 10 * time.Second},
			[]time.Duration{time.Second, time.Hour}, 10 * time.Second, []events.Outcome{events.Completed, events.Stopped},
		},
		{
			"a tenth is left for the stop itself", supervisor.Config{LameDuck: 19 * time.Second, StopTimeout: 20 * time.Second},
			[]time.Duration{time.Hour}, 18 * time.Second, []events.Outcome{events.Stopped},
		},
		{
			"a declared child serves", supervisor.Config{LameDuck: 10 * time.Second, Children: []actor.Spec{{Name: "a", Task: lasting(time.Hour)}}},
			[]time.Duration{time.Second}, 10 * time.Second, []events.Outcome{events.Completed},
		},
		{"there is no delay", supervisor.Config{}, []time.Duration{time.Second}, 0, []events.Outcome{events.Stopped}},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				door := &hall{}
				h := reopen(t, supervisor.NewGuarded(row.cfg, door))
				var inside []supervisor.Candidate
				for _, d := range row.inside {
					inside = append(inside, door.mustEnter(t, actor.Spec{Task: lasting(d)}))
				}
				synctest.Wait()
				began := time.Now()
				if err := h.close(); err != nil {
					t.Error(err)
				}
				equal(t, "took", time.Since(began), row.took)
				equal(t, "closed after", door.closed.Sub(began), 0)
				for i, k := range inside {
					equal(t, "outcome", outcome(t, k.Handle()).Kind, row.outcomes[i])
				}
			})
		})
	}
}

// One that backs off is inside: its next attempt is made.
func TestALameDuckBehindADoorWaitsForARetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, door := newJournal(), &hall{}
		h := reopen(t, supervisor.NewGuarded(supervisor.Config{LameDuck: 10 * time.Second}, door))
		fails := func(context.Context) error { return errBoom }
		spec := j.spec("a", fails, actor.Func(lasting(time.Second)))
		spec.Backoff = policy.Constant(2 * time.Second)
		k := door.mustEnter(t, spec)
		synctest.Wait()
		began := time.Now()
		if err := h.close(); err != nil {
			t.Error(err)
		}
		equal(t, "took", time.Since(began), 3*time.Second)
		equal(t, "outcome", outcome(t, k.Handle()).Kind, events.Completed)
	})
}

func TestADoorBelowLetsThoseInsideFinishWhenItsParentStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		door := &hall{}
		queue := supervisor.NewGuarded(supervisor.Config{Name: "queue", LameDuck: 5 * time.Second}, door)
		h := open(t, supervisor.Config{Name: "app", Children: []actor.Spec{queue.Spec("")}})
		short := door.mustEnter(t, actor.Spec{Task: lasting(2 * time.Second)})
		synctest.Wait()

		began := time.Now()
		h.cancel()
		pass(time.Second)
		equal(t, "closed after", door.closed.Sub(began), 0)
		if _, err := door.enter(t, actor.Spec{Task: lasting(0)}); !errors.Is(err, supervisor.ErrStopping) {
			t.Errorf("the door says %v", err)
		}
		if err := h.wait(); err != nil {
			t.Error(err)
		}
		equal(t, "took", time.Since(began), 2*time.Second)
		equal(t, "outcome", outcome(t, short.Handle()).Kind, events.Completed)
	})
}

func TestADoorBelowHasNoMoreTimeThanItsParentLeaves(t *testing.T) {
	for _, row := range []struct {
		sentence string
		parent   time.Duration // its StopTimeout
		took     time.Duration
	}{
		{"the lame-duck delay is less", 0, 5 * time.Second},
		{"the parent leaves less", 4 * time.Second, 3600 * time.Millisecond},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				door := &hall{}
				queue := supervisor.NewGuarded(supervisor.Config{Name: "queue", LameDuck: 5 * time.Second}, door)
				h := open(t, supervisor.Config{Name: "app", StopTimeout: row.parent, Children: []actor.Spec{queue.Spec("")}})
				long := door.mustEnter(t, actor.Spec{Task: lasting(time.Hour)})
				synctest.Wait()
				began := time.Now()
				if err := h.close(); err != nil {
					t.Error(err)
				}
				equal(t, "took", time.Since(began), row.took)
				o := outcome(t, long.Handle())
				equal(t, "outcome", o.Kind, events.Stopped)
				equal(t, "reason", o.Reason, events.ReasonShutdown)
			})
		})
	}
}

func TestWhatIsStoppedByTheDoorKnowsWhy(t *testing.T) {
	for reason, cause := range map[events.Reason]error{
		events.ReasonCancelled:  actor.ErrCancelled,
		events.ReasonSuperseded: actor.ErrSuperseded,
	} {
		t.Run(reason.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				door := &hall{}
				reopen(t, supervisor.NewGuarded(supervisor.Config{}, door))
				var why error
				k := door.mustEnter(t, actor.Spec{Task: actor.Func(func(ctx context.Context) error {
					<-ctx.Done()
					why = context.Cause(ctx)
					return why
				})})
				synctest.Wait()
				door.door.Lock()
				k.Stop(reason)
				door.door.Unlock()
				o := outcome(t, k.Handle())
				equal(t, "outcome", o.Kind, events.Stopped)
				equal(t, "reason", o.Reason, reason)
				equal(t, "said", o.StopErr, nil)
				equal(t, "cause", why, cause)
			})
		})
	}
}

func TestTheBusOfARunIsKnownWhileItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus events.Bus
		var heard ear
		door := &hall{}
		s := supervisor.NewGuarded(supervisor.Config{Bus: &bus, Subscribers: heard.subscriber(events.JobSubmitted)}, door)
		equal(t, "before", s.Bus(), nil)
		h := reopen(t, s)
		equal(t, "during", s.Bus(), &bus)
		equal(t, "by the door", door.door.Bus(), &bus)
		equal(t, "wants a job", door.door.Wants(events.JobSubmitted), true)
		equal(t, "wants a start", door.door.Wants(events.JobStarted), false)
		if err := h.close(); err != nil {
			t.Error(err)
		}
		equal(t, "after", s.Bus(), nil)

		silent := reopen(t, supervisor.NewGuarded(supervisor.Config{}, door))
		equal(t, "of nobody", silent.Bus(), nil)
		equal(t, "wants of nobody", door.door.Wants(events.JobSubmitted), false)
		door.door.Bus().Publish(events.Event{Kind: events.JobSubmitted}) // and that is all
	})
}

// errand is a task that runs on behalf of a stored job.
type errand struct {
	actor.Func
	job *events.Job
}

func (e errand) Describe() *events.Job { return e.job }

func TestEveryEventAboutATaskOfAJobSaysWhichJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var heard ear
		door := &hall{}
		job := &events.Job{ID: 42, Type: "media/resize"}
		var info actor.Info
		h := reopen(t, supervisor.NewGuarded(supervisor.Config{Name: "app", Subscribers: heard.subscriber()}, door))
		runs := 0
		work := errand{func(ctx context.Context) error {
			info, _ = actor.FromContext(ctx)
			actor.Ready(ctx)
			if runs++; runs == 1 {
				return errBoom
			}
			<-ctx.Done()
			<-time.After(time.Minute) // longer than its grace
			return nil
		}, job}
		// One of each in turn, with the same settings.
		door.mustEnter(t, actor.Spec{Name: "before", Task: lasting(time.Hour)})
		k := door.mustEnter(t, actor.Spec{Name: "job", Task: work})
		door.mustEnter(t, actor.Spec{Name: "after", Task: lasting(time.Hour)})
		pass(2 * time.Second)
		door.door.Lock()
		door.door.Tell(k, events.JobStarted, func(*events.Event) {})
		k.Stop(events.ReasonCancelled)
		door.door.Unlock()
		pass(2 * time.Minute)
		if err := h.close(); err != nil {
			t.Error(err)
		}

		var kinds []events.Kind
		for _, e := range heard.of("") {
			if want := e.Path == "/app/job"; (e.Job == job) != want || (e.Job == nil) == want {
				t.Errorf("%v has the job %v", e, e.Job)
			}
			if e.Path == "/app/job" {
				kinds = append(kinds, e.Kind)
			}
		}
		for _, k := range []events.Kind{
			events.TaskAdded, events.AttemptStarted, events.TaskReady, events.AttemptEnded, events.RetryScheduled, events.JobStarted,
			events.TaskStopping, events.TaskStuck, events.TaskAbandoned, events.TaskReturned, events.TaskFinished,
		} {
			if !slices.Contains(kinds, k) {
				t.Errorf("no %v among %v", k, kinds)
			}
		}
		equal(t, "in the context", info.Job, job)
	})
}
