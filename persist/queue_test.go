package persist_test

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
	"github.com/taskvisor/taskvisor/subscribers/recorder"
	"github.com/taskvisor/taskvisor/supervisor"
)

// harness runs a queue in a bubble.
type harness struct {
	*persist.Queue
	t    *testing.T
	rec  *recorder.Recorder
	stop func() error
}

func start(t *testing.T, cfg persist.Config) *harness {
	t.Helper()
	h := &harness{t: t, rec: &recorder.Recorder{}}
	if cfg.Store == nil {
		cfg.Store = memstore.New()
	}
	cfg.Supervisor.Subscribers = append(cfg.Supervisor.Subscribers, h.rec.Subscriber())
	h.Queue = persist.New(cfg)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	var once sync.Once
	var err error
	h.stop = func() error {
		once.Do(func() { cancel(); err = <-ended })
		return err
	}
	t.Cleanup(func() {
		if err := h.stop(); err != nil && !errors.Is(err, persist.ErrClosed) && !errors.Is(err, persist.ErrUnknown) { // the store may have crashed, or failed
			t.Errorf("run: %v", err)
		}
	})
	if err := h.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	return h
}

type note struct{ N int }

var (
	noteType = persist.Define[note]("note")
	_        = actor.Fatal
	_        = policy.Forever
	_        = supervisor.ErrSelf
	_        = events.JobFailed
)

// must returns the result of a submission.
func must(t *testing.T) func(r persist.Result, err error) persist.Result {
	return func(r persist.Result, err error) persist.Result {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
}

func (h *harness) await(id persist.ID) *persist.Job {
	h.t.Helper()
	j, err := h.Await(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	return j
}

func TestASubmittedJobRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []int
		h := start(t, persist.Config{Handlers: []persist.Handler{
			noteType.Handle(func(_ context.Context, n note) error { got = append(got, n.N); return nil }),
		}, Workers: 1})
		for i := range 3 {
			r := must(t)(noteType.Submit(t.Context(), h.Queue, note{i}))
			if r.Kind != persist.Inserted || r.ID != persist.ID(i+1) {
				t.Errorf("submission %d: %+v", i, r)
			}
		}
		for i := range 3 {
			j := h.await(persist.ID(i + 1))
			if j.End.Kind != persist.Completed || j.Attempts != 1 {
				t.Errorf("job %d: %+v %+v", i+1, j.End, j.State)
			}
		}
		if fmt.Sprint(got) != "[0 1 2]" {
			t.Error(got)
		}
	})
}

func TestAFailingJobIsRetriedAndThenADeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		oops := errors.New("oops")
		var at []time.Duration
		began := time.Now()
		h := start(t, persist.Config{Handlers: []persist.Handler{
			noteType.Handle(func(context.Context, note) error { at = append(at, time.Since(began)); return oops }),
		}, Defaults: []persist.Option{persist.WithBackoff(policy.Exponential(time.Second, time.Minute).WithJitter(policy.NoJitter))}})
		r := must(t)(noteType.Submit(t.Context(), h.Queue, note{1}))
		j := h.await(r.ID)
		if j.End.Kind != persist.DeadLetter || j.Attempts != 4 || j.Last.Text != "oops" {
			t.Errorf("%+v %+v", j.End, j.State)
		}
		if fmt.Sprint(at) != "[0s 1s 3s 7s]" {
			t.Error(at)
		}
		dead, err := h.DeadLetters(t.Context(), 0, 0)
		if err != nil || len(dead) != 1 || dead[0].ID != r.ID {
			t.Error(dead, err)
		}
		if err := h.Revive(t.Context(), r.ID); err != nil {
			t.Fatal(err)
		}
		if j := h.await(r.ID); j.Attempts != 8 || j.End.Kind != persist.DeadLetter {
			t.Errorf("%+v %+v", j.End, j.State)
		}
	})
}
