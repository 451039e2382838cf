package prom_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/prom"
	"github.com/taskvisor/taskvisor/subscribers/recorder"
	"github.com/taskvisor/taskvisor/supervisor"
)

// note is the input of jobs, and says what the attempts at them do.
type note struct{ Do string }

var noteType = persist.Define[note]("note")

// do is the handler of notes.
func (s *jobStorm) do(ctx context.Context, n note) error {
	attempt, _ := persist.FromContext(ctx)
	switch n.Do {
	case "fail":
		return errStorm
	case "flaky":
		if attempt.Number() == 1 {
			return errStorm
		}
	case "fatal":
		return actor.Fatal(errStorm)
	case "give up":
		return persist.Cancel(errStorm)
	case "panic":
		panic("storm")
	case "hold":
		<-ctx.Done()
		return context.Cause(ctx)
	case "wait":
		<-s.gate
	}
	return nil
}

// commitTime is what a commit of a disk takes.
const commitTime = 5 * time.Millisecond

// disk sees what is committed, before it is.
type disk struct {
	mu                               sync.Mutex
	broken                           bool // guarded by mu, like the rest
	commits, steps, failures, pruned float64
}

func (d *disk) commit(_ context.Context, steps []persist.Step) error {
	time.Sleep(commitTime)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken {
		d.failures++
		return errStorm
	}
	d.commits++
	d.steps += float64(len(steps))
	for i := range steps {
		if s := &steps[i]; s.Verb == persist.Prune {
			d.pruned += float64(s.Count)
		}
	}
	return nil
}

func (d *disk) setBroken(broken bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken = broken
}

// jobStorm is a queue in a tree to which everything happens that can, with those who know:
// a recorder, a disk, and the results that submissions were given.
type jobStorm struct {
	*persist.Queue
	t       *testing.T
	seen    recorder.Recorder
	disk    disk
	gate    chan struct{} // "wait" ends when it is closed
	results map[persist.ResultKind]float64
	metrics prom.Collector
	scrape  func() figures
	stop    func()
}

// startJobStorm starts a queue on a memory in which a job ran when its process died.
func startJobStorm(t *testing.T) *jobStorm {
	t.Helper()
	memory := memstore.New()
	plant(t, memory)
	s := &jobStorm{t: t, gate: make(chan struct{}), results: map[persist.ResultKind]float64{}}
	s.Queue = persist.New(persist.Config{
		Name: "jobs", Store: memory, Handlers: []persist.Handler{noteType.Handle(s.do)}, Workers: 3, History: 2, DeadLetters: 2, Crashes: 1,
		Defaults: []persist.Option{persist.WithoutKey(), persist.WithMaxRetries(1), persist.WithBackoff(policy.Constant(time.Second))},
	})
	app := supervisor.New(supervisor.Config{
		Name: "app", Subscribers: []events.Subscriber{s.seen.Subscriber(), s.metrics.Subscriber()}, Children: []actor.Spec{s.Spec("")},
	})
	must(t, s.metrics.Add(app, s.Queue))
	reg := register(t, &s.metrics)
	s.scrape = func() figures { return scrape(t, reg) }
	scrape(t, reg).about("queue_ended_total").equal(t, s.truth().about("queue_ended_total")) // all zeros

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	s.stop = sync.OnceFunc(func() { cancel(); must(t, <-ended) })
	t.Cleanup(s.stop)
	must(t, s.WaitReady(ctx))
	memory.BeforeCommit(s.disk.commit)
	return s
}

// plant leaves a job in a memory that ran when the process died.
func plant(t *testing.T, memory *memstore.Memory) {
	t.Helper()
	store, err := memory.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.Recover(t.Context(), func(*persist.Job) error { return nil })
	must(t, err)
	_, err = store.Commit(t.Context(), []persist.Step{
		{Verb: persist.Insert, ID: 1, Record: &persist.Record{ID: 1, Type: "note", Submitted: time.Now(), Payload: []byte(`{}`)}},
		{Verb: persist.Amend, ID: 1, State: persist.State{Fence: 1, Claimed: true}},
	})
	must(t, err)
	memory.Crash()
}

// submit submits a note, which has to come to want.
func (s *jobStorm) submit(want persist.ResultKind, what string, opts ...persist.Option) persist.ID {
	s.t.Helper()
	r, err := noteType.Submit(s.t.Context(), s.Queue, note{what}, opts...)
	if err != nil || r.Kind != want {
		s.t.Errorf("%q: %+v, %v, want %v", what, r, err, want)
	}
	s.results[r.Kind]++
	return r.ID
}

// settle waits until nothing moves.
func settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// truth is what the figures have to be.
func (s *jobStorm) truth() figures {
	f := figures{}
	for _, kind := range persist.Endings() {
		f[fmt.Sprintf(`queue_ended_total{kind=%q,queue="jobs"}`, kind)] = 0
	}
	for kind := persist.Inserted; kind <= persist.Rejected; kind++ {
		f[fmt.Sprintf(`queue_submissions_total{queue="jobs",result=%q}`, kind)] = s.results[kind]
	}
	for _, e := range s.seen.Events() {
		end, run := persist.Ending(0), ""
		switch e.Kind {
		case events.JobStarted:
			f[fmt.Sprintf("job_wait_seconds_count{type=%q}", e.Job.Type)]++
			f[fmt.Sprintf("job_wait_seconds_sum{type=%q}", e.Job.Type)] += e.Elapsed.Seconds()
		case events.JobRetryScheduled:
			run = "retry"
		case events.JobCompleted:
			end, run = persist.Completed, "completed"
		case events.JobFailed:
			end, run = persist.Failed, "failed"
		case events.JobDeadLettered:
			end, run = persist.DeadLetter, "dead_letter"
		case events.JobCancelled:
			end = persist.Cancelled
		case events.JobSuperseded:
			end = persist.Superseded
		case events.JobExpired:
			end = persist.Expired
		}
		if end != 0 {
			f[fmt.Sprintf(`queue_ended_total{kind=%q,queue="jobs"}`, end)]++
		}
		if run != "" {
			f[fmt.Sprintf("job_run_seconds_count{outcome=%q,type=%q}", run, e.Job.Type)]++
			f[fmt.Sprintf("job_run_seconds_sum{outcome=%q,type=%q}", run, e.Job.Type)] += e.Elapsed.Seconds()
		}
	}
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	f[`queue_commits_total{queue="jobs"}`] = s.disk.commits
	f[`queue_commit_steps_total{queue="jobs"}`] = s.disk.steps
	f[`queue_commit_seconds_total{queue="jobs"}`] = s.disk.commits * commitTime.Seconds()
	f[`queue_commit_failures_total{queue="jobs"}`] = s.disk.failures
	f[`queue_pruned_total{queue="jobs"}`] = s.disk.pruned
	return f
}

// jobCounters are the metrics of which truth knows everything.
var jobCounters = []string{
	"queue_ended_total", "queue_submissions_total", "queue_commits_total", "queue_commit_steps_total", "queue_commit_seconds_total",
	"queue_commit_failures_total", "queue_pruned_total",
	"job_wait_seconds_count", "job_wait_seconds_sum", "job_run_seconds_count", "job_run_seconds_sum",
}

// alive returns the jobs that have not ended, by what the events say, and how many of them run.
func (s *jobStorm) alive() (types map[persist.ID]string, running float64) {
	types, runs := map[persist.ID]string{}, map[persist.ID]bool{}
	for _, e := range s.seen.Events() {
		if e.Job == nil {
			continue
		}
		id := persist.ID(e.Job.ID)
		switch e.Kind {
		case events.JobSubmitted, events.JobParked, events.JobRevived:
			types[id] = e.Job.Type
		case events.JobStarted:
			runs[id] = true
		case events.JobRetryScheduled, events.JobSnoozed, events.JobReleased:
			delete(runs, id)
		case events.JobCompleted, events.JobFailed, events.JobDeadLettered, events.JobCancelled, events.JobSuperseded, events.JobExpired:
			delete(types, id)
			delete(runs, id)
		}
	}
	return types, float64(len(runs))
}

// compare has an error for what a scrape says that is not so. Nothing may move.
func (s *jobStorm) compare() figures {
	s.t.Helper()
	got := s.scrape()
	agree(s.t, got, s.truth(), jobCounters...)

	want := figures{}
	for series := range got.about("queue_jobs") {
		want[series] = 0
	}
	types, running := s.alive()
	oldest := 0.0
	for id, typ := range types {
		why, err := s.Why(s.t.Context(), id)
		must(s.t, err)
		want[fmt.Sprintf(`queue_jobs{queue="jobs",state=%q,type=%q}`, why.Phase, typ)]++
		if why.Phase == persist.Ready {
			oldest = max(oldest, time.Since(why.Since).Seconds())
		}
	}
	got.about("queue_jobs").equal(s.t, want)
	for _, kind := range persist.Endings() {
		past, err := s.Past(s.t.Context(), persist.PastQuery{Kinds: []persist.Ending{kind}, Limit: 1000})
		must(s.t, err)
		want[fmt.Sprintf(`queue_history{kind=%q,queue="jobs"}`, kind)] = float64(len(past))
	}
	want[`queue_oldest_ready_seconds{queue="jobs"}`] = oldest
	want[`queue_workers{queue="jobs"}`] = 3
	want[`queue_workers_used{queue="jobs"}`] = running
	got.expect(s.t, want)
	return got
}

func TestAfterAStormOfJobsTheFiguresAreWhatTheEventsSay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startJobStorm(t)
		s.submit(persist.Inserted, "ok")
		settle(time.Second)
		s.compare().expect(t, figures{
			`queue_jobs{queue="jobs",state="parked",type="note"}`: 1,
		})
		must(t, s.Release(t.Context(), 1))
		s.submitEverything()
		settle(10 * time.Second)
		s.compare().expect(t, figures{
			`queue_workers_used{queue="jobs"}`:                            1, // who has the key of those that follow
			`queue_jobs{queue="jobs",state="running",type="note"}`:        1,
			`queue_jobs{queue="jobs",state="blocked",type="note"}`:        1,
			`queue_jobs{queue="jobs",state="delayed",type="note"}`:        2,
			`queue_jobs{queue="jobs",state="ready",type="media/unheard"}`: 1,
			`queue_history{kind="completed",queue="jobs"}`:                2,
			`queue_history{kind="dead_letter",queue="jobs"}`:              2,
			`queue_uncommitted{queue="jobs"}`:                             0,
		})

		// What has ended as a dead letter ends once more, and what waits too long expires.
		dead, err := s.DeadLetters(t.Context(), 0, 1)
		must(t, err)
		must(t, s.Revive(t.Context(), dead[0].ID))
		settle(time.Minute)
		s.compare()

		s.breakDisk()
		got := s.compare()
		for _, e := range persist.Endings() {
			series := fmt.Sprintf(`queue_ended_total{kind=%q,queue="jobs"}`, e)
			if reached := got[series] > 0; reached == (e == persist.DependencyFailed) {
				t.Errorf("the storm was not what it should be: %s is %v", series, got[series])
			}
		}
		for k := persist.Inserted; k <= persist.Rejected; k++ {
			if s.results[k] == 0 {
				t.Errorf("no submission was %v", k)
			}
		}
		if got[`queue_pruned_total{queue="jobs"}`] == 0 {
			t.Error("nothing was forgotten")
		}

		s.stop()
		got = s.scrape()
		agree(t, got, s.truth(), jobCounters...)
		got.expect(t, figures{
			`queue_workers_used{queue="jobs"}`:                     0,
			`queue_uncommitted{queue="jobs"}`:                      0,
			`queue_jobs{queue="jobs",state="running",type="note"}`: 0,
		})
		if s.seen.Count(events.EventsLost) > 0 || s.seen.Dropped() > 0 {
			t.Fatal("the recorder has not seen everything")
		}
	})
}

// submitEverything has submissions of every result, and jobs that end in every way.
func (s *jobStorm) submitEverything() {
	ctx, t := s.t.Context(), s.t
	key, later := persist.WithKey, persist.WithDelay(time.Hour)
	supersede := persist.WithDuplicates(persist.Supersede)

	s.submit(persist.Inserted, "hold", key("a"))
	settle(time.Second)
	s.submit(persist.Requeued, "ok", key("a"))
	s.submit(persist.Upgraded, "ok", key("a"), persist.WithPriority(persist.High))
	s.submit(persist.Duplicate, "ok", key("a"))
	s.submit(persist.Rejected, "ok", key("a"), persist.WithDuplicates(persist.Reject))

	s.submit(persist.Inserted, "ok", key("b"), later)
	s.submit(persist.Upgraded, "ok", key("b"), persist.WithPriority(persist.Realtime))
	s.submit(persist.Replaced, "ok", key("b"), supersede, later)
	s.submit(persist.Inserted, "hold", key("c"))
	settle(time.Second)
	s.submit(persist.Replaced, "ok", key("c"), supersede)

	for _, what := range []string{"ok", "ok", "ok", "flaky", "fatal", "give up", "panic", "fail", "fail", "fail"} {
		s.submit(persist.Inserted, what)
	}
	s.submit(persist.Inserted, "ok", persist.WithDurability(persist.Relaxed))
	s.submit(persist.Inserted, "ok", later, persist.WithTTL(time.Minute))
	must(t, s.Cancel(ctx, s.submit(persist.Inserted, "ok", later)))
	held := s.submit(persist.Inserted, "hold")
	settle(time.Second)
	must(t, s.Cancel(ctx, held))

	results, err := s.SubmitAll(ctx, []persist.Submission{
		noteType.New(note{"ok"}, key("d")), noteType.New(note{"ok"}, key("d")), persist.Raw("media/unheard", []byte("1")),
	})
	must(t, err)
	for _, r := range results {
		s.results[r.Kind]++
	}

	// What is refused is not counted.
	if _, err := noteType.Submit(ctx, s.Queue, note{}, persist.WithKey("")); err == nil {
		t.Error("an empty key is none")
	}
}

// breakDisk has a job end while nothing can be stored, and mends the disk.
func (s *jobStorm) breakDisk() {
	ctx, t := s.t.Context(), s.t
	s.submit(persist.Inserted, "wait")
	settle(time.Second)
	s.disk.setBroken(true)
	close(s.gate)
	if _, err := noteType.Submit(ctx, s.Queue, note{"ok"}); !errors.Is(err, errStorm) {
		t.Errorf("nothing can be stored, and the error is %v", err)
	}
	settle(3 * time.Second)
	got := s.scrape()
	got.expect(t, figures{`queue_uncommitted{queue="jobs"}`: 1})
	agree(t, got, s.truth(), jobCounters...)
	if got[`queue_commit_failures_total{queue="jobs"}`] < 3 {
		t.Error("nothing has failed")
	}
	s.disk.setBroken(false)
	settle(3 * time.Second)
}
