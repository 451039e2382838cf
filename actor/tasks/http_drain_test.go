package tasks_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/actor/tasks"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/supervisor"
)

// answer is what became of a request.
type answer struct {
	body string
	err  error
}

// ask makes a request on another goroutine.
func ask(client *http.Client) <-chan answer {
	answered := make(chan answer, 1)
	go func() {
		res, err := client.Get("http://app/")
		if err != nil {
			answered <- answer{err: err}
			return
		}
		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(res.Body)
		answered <- answer{string(body), err}
	}()
	return answered
}

func TestAStopLetsOpenRequestsFinish(t *testing.T) {
	bubble(t, func(t *testing.T, app *supervisor.Supervisor) {
		p := newPipes()
		h := start(t, app, actor.Spec{Task: p.task(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(4 * time.Second):
				_, _ = io.WriteString(w, "finished")
			case <-r.Context().Done():
				t.Errorf("the request was ended: %v", context.Cause(r.Context()))
			}
		})})
		answered := ask(p.client(t))
		synctest.Wait()
		began := time.Now()
		if err := app.Stop(t.Context(), "task"); err != nil {
			t.Error(err)
		}
		// http.Server looks twice a second whether it is idle.
		if took := time.Since(began); took < 4*time.Second || took > tasks.DefaultDrain {
			t.Errorf("the stop took %v", took)
		}
		if a := <-answered; a.err != nil || a.body != "finished" {
			t.Errorf("answered %+v", a)
		}
		if o := wait(t, h); o.Kind != events.Stopped || o.StopErr != nil {
			t.Errorf("got %+v", o)
		}
	})
}

func TestAStopCutsOffWhatTakesTooLong(t *testing.T) {
	for _, c := range []struct {
		says        string
		drain, took time.Duration
	}{
		{"by default", 0, tasks.DefaultDrain},
		{"when asked to hurry", time.Second, time.Second},
		{"when asked not to wait", 1, 1},
	} {
		t.Run(c.says, func(t *testing.T) {
			bubble(t, func(t *testing.T, app *supervisor.Supervisor) {
				p := newPipes()
				ended := make(chan error, 1)
				task := p.task(func(_ http.ResponseWriter, r *http.Request) {
					<-r.Context().Done()
					ended <- context.Cause(r.Context())
				})
				task.Drain = c.drain
				h := start(t, app, actor.Spec{Task: task})
				answered := ask(p.client(t))
				synctest.Wait()
				began := time.Now()
				if err := app.Stop(t.Context(), "task"); err != nil {
					t.Error(err)
				}
				if took := time.Since(began); took != c.took {
					t.Errorf("the stop took %v, want %v", took, c.took)
				}
				if cause := <-ended; !errors.Is(cause, actor.ErrStopped) {
					t.Errorf("the handler was told %v", cause)
				}
				if a := <-answered; a.err == nil {
					t.Errorf("answered %+v", a)
				}
				if o := wait(t, h); o.Kind != events.Stopped || o.StopErr == nil {
					t.Errorf("got %+v, want a stop that tells what was cut off", o)
				}
			})
		})
	}
}

// A connection that was taken over is not waited for, and learns of the end from
// the context of its request.
func TestAHijackedConnectionIsToldButNotWaitedFor(t *testing.T) {
	bubble(t, func(t *testing.T, app *supervisor.Supervisor) {
		p := newPipes()
		told := make(chan error, 1)
		start(t, app, actor.Spec{Task: p.task(func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			<-r.Context().Done()
			told <- context.Cause(r.Context())
			_ = conn.Close()
		})})
		answered := ask(p.client(t))
		synctest.Wait()
		began := time.Now()
		if err := app.Stop(t.Context(), "task"); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("the stop took %v", took)
		}
		if cause := <-told; !errors.Is(cause, actor.ErrStopped) {
			t.Errorf("the handler was told %v", cause)
		}
		<-answered
	})
}

func TestAFailureDrainsToo(t *testing.T) {
	bubble(t, func(t *testing.T, app *supervisor.Supervisor) {
		p := newPipes()
		start(t, app, actor.Spec{Task: p.task(func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(2 * time.Second)
			_, _ = io.WriteString(w, "finished")
		})})
		answered := ask(p.client(t))
		synctest.Wait()
		_, l := p.opened()
		_ = l.Close()
		if a := <-answered; a.err != nil || a.body != "finished" {
			t.Errorf("answered %+v", a)
		}
	})
}
