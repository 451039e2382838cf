package persist_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
	"github.com/taskvisor/taskvisor/policy"
)

// holdUp has each commit wait until the returned function is called.
func (r *rig) holdUp() (letGo func()) {
	hold := make(chan struct{})
	r.mem.BeforeCommit(func(context.Context, []persist.Step) error { <-hold; return nil })
	return func() {
		r.mem.BeforeCommit(nil)
		close(hold)
		synctest.Wait()
	}
}

func TestNothingIsToldBeforeItIsDurable(t *testing.T) {
	rows := map[string]struct {
		result error
		kind   events.Kind
		phase  persist.Phase // afterwards
	}{
		"completed":   {nil, events.JobCompleted, persist.Ended},
		"failed":      {actor.Fatal(errOops), events.JobFailed, persist.Ended},
		"cancelled":   {persist.Cancel(nil), events.JobCancelled, persist.Ended},
		"dead letter": {errOops, events.JobDeadLettered, persist.Ended},
		"snoozed":     {persist.Snooze(time.Hour), events.JobSnoozed, persist.Delayed},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				r := hang(t, persist.Config{Workers: 1, Handlers: s.handlers(), Defaults: []persist.Option{persist.WithMaxRetries(0)}})
				id := r.submit("it", persist.WithKey("k"))
				after := r.submit("after", persist.WithKey("k"))
				r.submit("other")
				synctest.Wait()
				letGo := r.holdUp()
				s.letGo(row.result, "it")

				// The worker is free, but nothing else has happened yet.
				same(t, "running", s.now(), "other")
				same(t, "told", r.told(row.kind), 0)
				same(t, "phase", r.why(id).Phase, persist.Running)
				same(t, "phase of the one behind", r.why(after).Phase, persist.Blocked)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				_, err := r.Await(ctx, id)
				cancel()
				isError(t, "await", err, context.DeadlineExceeded)
				same(t, "counted", r.figure("queue_workers_used"), 1)

				letGo()
				same(t, "told then", r.told(row.kind), 1)
				same(t, "phase then", r.why(id).Phase, row.phase)
				isError(t, "more workers", r.SetWorkers(3), nil)
				want := map[bool]string{true: "after other", false: "other"}[row.phase == persist.Ended]
				same(t, "running then", s.now(), want)
				if row.phase == persist.Ended {
					r.wait(id)
				}
				isError(t, "clean up", r.halt(), nil)
			})
		})
	}
}

func TestASubmissionIsNeitherRunNorToldBeforeItIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := hang(t, persist.Config{Handlers: s.handlers()})
		letGo := r.holdUp()
		done := make(chan persist.ID, 1)
		go func() { done <- r.submit("it") }()
		synctest.Wait()
		same(t, "running", s.now(), "")
		same(t, "told", r.told(events.JobSubmitted), 0)
		letGo()
		same(t, "job", <-done, 1)
		same(t, "running then", s.now(), "it")
		same(t, "told then", r.told(events.JobSubmitted), 1)
		s.letAllGo()
	})
}

// ofJob returns the kinds of what was told about a job, in order.
func (r *rig) ofJob(id persist.ID) string {
	synctest.Wait()
	var kinds []string
	for _, e := range r.rec.Events() {
		if e.Job != nil && e.Job.ID == uint64(id) {
			kinds = append(kinds, e.Kind.String())
		}
	}
	return strings.Join(kinds, " ")
}

func TestTheEventsOfAJobAreInOrderAndSayWhoseTheyAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &persist.Domain{Name: "d"}
		k := persist.DefineIn[string](d, "k", oneSecond)
		n := 0
		r := hang(t, persist.Config{Handlers: []persist.Handler{k.Handle(func(ctx context.Context, _ string) error {
			n++
			switch n {
			case 1:
				return errOops
			case 2:
				return persist.Snooze(time.Second)
			}
			persist.Progress(ctx, 0.5, "half")
			return nil
		})}})
		id := must(t)(k.Submit(t.Context(), r.Queue, "in", persist.WithKey("key"), persist.WithLabel("label"), persist.WithGroup("g"), persist.WithTag("a", "b"))).ID
		r.wait(id)
		same(t, "kinds", r.ofJob(id), "job_submitted"+
			" task_added attempt_started job_started attempt_ended task_finished job_retry_scheduled"+
			" task_added attempt_started job_started attempt_ended task_finished job_snoozed"+
			" task_added attempt_started job_started job_progressed attempt_ended task_finished job_completed")
		attempts := map[events.Kind][]int{}
		for _, e := range r.rec.Events() {
			if e.Job == nil {
				continue
			}
			j := e.Job
			attempts[e.Kind] = append(attempts[e.Kind], j.Attempt)
			if j.Type != "d/k" || j.Domain != "d" {
				t.Errorf("%v is about %+v", e.Kind, j)
			}
			switch e.Kind {
			case events.TaskAdded, events.AttemptStarted:
			default:
				if j.Key != "key" || j.Label != "label" || j.Group != "g" || len(j.Tags) != 1 {
					t.Errorf("%v is about %+v", e.Kind, j)
				}
			}
			if e.Kind == events.JobRetryScheduled && (e.Delay != time.Second || e.Count != 1 || e.Err == nil || e.Exit != policy.Failed) {
				t.Errorf("retry: %v", e)
			}
		}
		same(t, "attempts of the starts", attempts[events.JobStarted], []int{1, 2, 2})
		same(t, "attempt of the end", attempts[events.JobCompleted], []int{2})
	})
}

func TestTheBusTellsOfADeadLetterWhatWentWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := hang(t, persist.Config{Defaults: []persist.Option{oneSecond, persist.WithMaxRetries(1)}, Handlers: []persist.Handler{
			chore.Handle(func(context.Context, string) error { time.Sleep(time.Second); return errOops }),
		}})
		r.wait(r.submit("it"))
		e := r.first(events.JobDeadLettered)
		isError(t, "error", e.Err, errOops)
		same(t, "count, exit and time", fmt.Sprint(e.Count, " ", e.Exit, " ", e.Elapsed), "2 failed 1s")
	})
}

func TestWhyNamesEachReasonWithItsNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		d := &persist.Domain{Name: "d", Limit: 1}
		in := persist.DefineIn[string](d, "in", persist.WithoutKey())
		r := hang(t, persist.Config{
			Workers: 4, Handlers: append(s.handlers(), in.Handle(s.act)), GroupLimits: map[string]int{"g": 1}, GroupLimit: 2,
			Defaults: []persist.Option{persist.WithBackoff(policy.Constant(time.Minute))},
		})
		ctx := t.Context()
		failed := r.submit("failed")
		s.letGo(errOops, "failed")
		running := r.submit("running", persist.WithKey("k"))
		r.submit("in group", persist.WithGroup("g"))
		must(t)(in.Submit(ctx, r.Queue, "in domain"))
		r.submit("last worker")
		synctest.Wait()
		elapse(10 * time.Second)

		check := func(id persist.ID, want persist.Wait, text string) {
			t.Helper()
			want.ID = id
			got := r.why(id)
			got.Since = time.Time{}
			if !got.Until.Equal(want.Until) {
				t.Errorf("job %d waits until %v, want %v", id, got.Until, want.Until)
			}
			got.Until, want.Until = time.Time{}, time.Time{}
			same(t, fmt.Sprint("job ", id), fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want))
			if !strings.Contains(got.String(), text) {
				t.Errorf("job %d: %q, want %q", id, got, text)
			}
		}
		check(failed, persist.Wait{Phase: persist.Delayed, Reason: persist.WaitsForRetry, Until: r.began.Add(time.Minute), Evidence: "oops"}, "pauses before a retry")
		check(running, persist.Wait{Phase: persist.Running}, "it runs")
		same(t, "since when it runs", r.why(running).Since.Sub(r.began), "0s")
		later := r.submit("later", persist.WithDelay(time.Hour))
		check(later, persist.Wait{Phase: persist.Delayed, Reason: persist.WaitsForTime, Until: r.began.Add(time.Hour + 10*time.Second)}, "not to run")
		check(r.submit("behind", persist.WithKey("k")), persist.Wait{Phase: persist.Blocked, Reason: persist.WaitsForKey, Job: running}, "has its key")
		check(must(t)(r.Submit(ctx, persist.Raw("none", nil))).ID, persist.Wait{Phase: persist.Ready, Reason: persist.WaitsForHandler, Of: "none"}, `no handler for type "none"`)
		check(r.submit("g2", persist.WithGroup("g")), persist.Wait{Phase: persist.Ready, Reason: persist.WaitsForGroup, Of: "g", Used: 1, Limit: 1}, "runs 1 of at most 1")
		check(r.submit("g3", persist.WithGroup("g")), persist.Wait{Phase: persist.Ready, Reason: persist.WaitsForGroup, Of: "g", Used: 1, Limit: 1, Ahead: 1}, "runs 1 of at most 1")
		check(must(t)(in.Submit(ctx, r.Queue, "d2")).ID, persist.Wait{Phase: persist.Ready, Reason: persist.WaitsForDomain, Of: "d", Used: 1, Limit: 1}, "domain")
		w1 := r.submit("w1")
		check(w1, persist.Wait{Phase: persist.Ready, Reason: persist.WaitsForWorker, Used: 4, Limit: 4}, "all 4 workers are busy")
		check(r.submit("w0", persist.WithPriority(persist.High)), persist.Wait{Phase: persist.Ready, Reason: persist.WaitsForWorker, Used: 4, Limit: 4}, "busy")
		check(w1, persist.Wait{Phase: persist.Ready, Reason: persist.WaitsForWorker, Used: 4, Limit: 4, Ahead: 1}, "busy")
		same(t, "since when it is ready", r.why(w1).Since.Sub(r.began), 10*time.Second)

		ended := must(t)(chore.Submit(ctx, r.Queue, "gone")).ID
		isError(t, "cancel", r.Cancel(ctx, ended), nil)
		check(ended, persist.Wait{Phase: persist.Ended, Ending: persist.Cancelled}, "it has ended: cancelled")
		_, err := r.Why(ctx, 999)
		isError(t, "why of none", err, persist.ErrNotFound)

		// A job whose submission, or whose end, is on its way.
		letGo := r.holdUp()
		go func() { _ = r.Cancel(ctx, later) }()
		synctest.Wait()
		check(later, persist.Wait{Phase: persist.Ready, Reason: persist.WaitsForStore}, "the store is behind")
		letGo()
		isError(t, "clean up", r.halt(), nil)
	})
}

func TestAJobThatWasPutOffWaitsForTheTimeAlsoAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := hang(t, persist.Config{Handlers: s.handlers(), Defaults: []persist.Option{oneSecond}})
		id := r.submit("it")
		s.letGo(persist.Snooze(time.Minute), "it")
		same(t, "why", r.why(id).Reason, persist.WaitsForTime)
		elapse(time.Minute)
		s.letGo(errOops, "it")
		same(t, "why", r.why(id).Reason, persist.WaitsForRetry)
		isError(t, "clean up", r.halt(), nil)
	})
}

func TestActiveListsWhatRunsWithItsProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := hang(t, persist.Config{Handlers: []persist.Handler{chore.Handle(func(ctx context.Context, in string) error {
			switch in {
			case "half":
				persist.Progress(ctx, 0.5, "half way")
			case "more":
				persist.Progress(ctx, 17, "all")
			case "less":
				persist.Progress(ctx, -1, "none")
			}
			<-ctx.Done()
			return ctx.Err()
		})}})
		for _, in := range strings.Fields("half more less none waits") {
			r.submit(in, persist.WithKey(in), persist.WithLabel("l"), persist.WithGroup("g"), persist.WithPriority(7))
		}
		synctest.Wait()
		elapse(time.Second)
		got := r.Active()
		for i, want := range []persist.Active{{Key: "half", Progress: 0.5, Message: "half way"}, {Key: "more", Progress: 1, Message: "all"}, {Key: "less", Message: "none"}, {Key: "none"}} {
			want.ID, want.Type, want.Label, want.Group, want.Priority, want.Attempt = persist.ID(i+1), "chore", "l", "g", 7, 1
			want.Path = fmt.Sprint("/queue/workers/", i+1)
			if !got[i].Since.Equal(r.began) {
				t.Errorf("job %d runs since %v", i+1, got[i].Since)
			}
			got[i].Since = time.Time{}
			same(t, "listed", fmt.Sprintf("%+v", got[i]), fmt.Sprintf("%+v", want))
		}
		same(t, "how many", len(got), 4)
		same(t, "counts", r.Counts(), map[persist.Phase]int{persist.Delayed: 0, persist.Ready: 1, persist.Running: 4, persist.Blocked: 0, persist.Parked: 0, persist.Ended: 0})
	})
}

func TestWhatItMeasuresIsTheTruth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memstore.New()
		r := hang(t, persist.Config{Name: "q", Store: m, Workers: 3, History: 30, DeadLetters: 5, Defaults: []persist.Option{oneSecond, persist.WithMaxRetries(1)}, Handlers: []persist.Handler{
			chore.Handle(func(ctx context.Context, in string) error {
				switch in {
				case "0":
					return errOops
				case "1":
					return actor.Fatal(errOops)
				case "2":
					return persist.Cancel(nil)
				case "3":
					<-ctx.Done()
				}
				return nil
			}),
		}})
		for i := range 100 {
			r.submit(fmt.Sprint(i % 10))
			if i%10 == 3 {
				synctest.Wait()
				isError(t, "cancel", r.Cancel(t.Context(), persist.ID(i+1)), nil)
			}
			elapse(2 * time.Second)
		}
		isError(t, "workers", r.SetWorkers(5), nil)
		_ = must(t)(r.Submit(t.Context(), persist.Raw("none", nil)))
		elapse(time.Minute)
		same(t, "ended", []float64{
			r.figure("queue_ended_total", "completed"), r.figure("queue_ended_total", "failed"), r.figure("queue_ended_total", "cancelled"),
			r.figure("queue_ended_total", "dead_letter"), r.figure("queue_ended_total", "superseded"),
		}, []float64{60, 10, 20, 10, 0})
		for kind, name := range map[persist.Ending]string{persist.Completed: "completed", persist.DeadLetter: "dead_letter", persist.Cancelled: "cancelled"} {
			past, err := r.Past(t.Context(), persist.PastQuery{Kinds: []persist.Ending{kind}, Limit: 1000})
			isError(t, "past", err, nil)
			same(t, "history of "+name, r.figure("queue_history", name), len(past))
		}
		same(t, "history", []float64{r.figure("queue_history", "completed"), r.figure("queue_history", "dead_letter")}, []float64{30, 5})
		same(t, "pruned", r.figure("queue_pruned_total"), 35)
		same(t, "submitted", r.figure("queue_submissions_total", "inserted"), 101)
		same(t, "workers", []float64{r.figure("queue_workers"), r.figure("queue_workers_used"), r.figure("queue_uncommitted")}, []float64{5, 0, 0})
		same(t, "jobs", []float64{r.figure("queue_jobs", "none", "ready"), r.figure("queue_jobs", "chore", "running"), r.figure("queue_jobs", "chore", "delayed")}, []float64{1, 0, 0})
		same(t, "oldest", r.figure("queue_oldest_ready_seconds"), 60)
	})
}

// Who goes before a job is counted as far as it takes to say that there are many.
func TestWhyCountsNoFurtherThanItMust(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := hang(t, persist.Config{Workers: persist.NoWorkers})
		r.submit("first")
		var ids []persist.ID
		for _, n := range []int{1, persist.MaxAhead - 2, 1, 500} {
			ins := make([]string, n)
			results, err := chore.SubmitAll(t.Context(), r.Queue, ins)
			isError(t, "submit", err, nil)
			for _, res := range results {
				ids = append(ids, res.ID)
			}
		}
		same(t, "ahead of the second", r.why(ids[0]).Ahead, 1)
		same(t, "ahead of the last that is counted", r.why(ids[persist.MaxAhead-2]).Ahead, persist.MaxAhead-1)
		same(t, "ahead of the last", r.why(ids[len(ids)-1]).Ahead, persist.MaxAhead)
		last := persist.Wait{Reason: persist.WaitsForTurn, Ahead: persist.MaxAhead}
		if want := "1000 of its kind or more go before it"; !strings.Contains(last.String(), want) {
			t.Errorf("%q, want %q", last, want)
		}
		urgent := r.submit("urgent", persist.WithPriority(persist.High))
		same(t, "ahead of an urgent one", r.why(urgent).Ahead, 0)
		same(t, "ahead of the second then", r.why(ids[0]).Ahead, 2)
	})
}
