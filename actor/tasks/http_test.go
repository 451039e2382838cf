package tasks_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/actor/tasks"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// hello answers with the task and attempt that serve it.
func hello(w http.ResponseWriter, r *http.Request) {
	info, _ := actor.FromContext(r.Context())
	_, _ = fmt.Fprintf(w, "%s attempt %d", info.Path, info.Attempt)
}

func TestAServerIsReadyWhenItListens(t *testing.T) {
	bubble(t, func(t *testing.T, app *supervisor.Supervisor) {
		p := newPipes()
		task := p.task(hello)
		task.Listen = func(ctx context.Context) (net.Listener, error) {
			time.Sleep(time.Second)
			return p.listen(ctx)
		}
		began := time.Now()
		h := start(t, app, actor.Spec{Task: task, AwaitReady: true})
		if err := h.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("ready after %v", took)
		}
		if got := get(t, p.client(t), "http://app/"); got != "/app/task attempt 1" {
			t.Errorf("got %q", got)
		}
	})
}

func TestEveryAttemptServesAnew(t *testing.T) {
	bubble(t, func(t *testing.T, app *supervisor.Supervisor) {
		p := newPipes()
		start(t, app, actor.Spec{Task: p.task(hello)})
		for attempt := 1; attempt <= 3; attempt++ {
			if got, want := get(t, p.client(t), "http://app/"), fmt.Sprintf("/app/task attempt %d", attempt); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			if _, err := app.Restart(t.Context(), "task"); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestTheDeathOfAListenerIsAFailure(t *testing.T) {
	bubble(t, func(t *testing.T, app *supervisor.Supervisor) {
		p := newPipes()
		h := start(t, app, actor.Spec{Task: p.task(hello), MaxRetries: 1})
		for range 2 {
			get(t, p.client(t), "http://app/")
			_, l := p.opened()
			_ = l.Close()
		}
		o := wait(t, h)
		if n, _ := p.opened(); n != 2 || o.Kind != events.Failed || !errors.Is(o.Err, net.ErrClosed) {
			t.Errorf("%d listeners, outcome %+v", n, o)
		}
	})
}

func TestAServerThatIsShutDownByItsHandlerHasFailed(t *testing.T) {
	bubble(t, func(t *testing.T, app *supervisor.Supervisor) {
		p := newPipes()
		h := start(t, app, actor.Spec{MaxRetries: policy.NoRetry, Task: p.task(func(_ http.ResponseWriter, r *http.Request) {
			_ = r.Context().Value(http.ServerContextKey).(*http.Server).Close()
		})})
		if _, err := p.client(t).Get("http://app/"); err == nil {
			t.Error("there was an answer")
		}
		if o := wait(t, h); !errors.Is(o.Err, http.ErrServerClosed) {
			t.Errorf("got %+v", o)
		}
	})
}

func TestAListenerThatCannotBeOpenedIsAFailure(t *testing.T) {
	bubble(t, func(t *testing.T, app *supervisor.Supervisor) {
		p := newPipes()
		task, n := p.task(hello), 0
		task.Listen = func(ctx context.Context) (net.Listener, error) {
			switch n++; n {
			case 1:
				return nil, errBoom
			case 2:
				return nil, nil
			}
			return p.listen(ctx)
		}
		h := start(t, app, actor.Spec{Task: task, AwaitReady: true})
		if err := h.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := get(t, p.client(t), "http://app/"); got != "/app/task attempt 3" {
			t.Errorf("got %q", got)
		}
	})
}

func TestAnOpenListenerServesOneAttempt(t *testing.T) {
	bubble(t, func(t *testing.T, app *supervisor.Supervisor) {
		p := newPipes()
		l, _ := p.listen(t.Context())
		task := tasks.HTTP(&http.Server{Handler: http.HandlerFunc(hello)})
		task.Listener = l
		h := start(t, app, actor.Spec{Task: task})
		get(t, p.client(t), "http://app/")
		_ = l.Close()
		o := wait(t, h)
		if o.Attempts != 2 || !errors.Is(o.Err, tasks.ErrListenerUsed) {
			t.Errorf("got %+v, want a second attempt that is the last", o)
		}
	})
}

func TestAPanicOfAHandlerIsLoggedByTheTask(t *testing.T) {
	var mu sync.Mutex
	var text bytes.Buffer
	locked := writerFunc(func(b []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return text.Write(b)
	})
	bubble(t, func(t *testing.T, app *supervisor.Supervisor) {
		p := newPipes()
		below := supervisor.New(supervisor.Config{
			Logger:   slog.New(slog.NewTextHandler(locked, nil)),
			Children: []actor.Spec{{Name: "http", Task: p.task(func(http.ResponseWriter, *http.Request) { panic("oh") })}},
		})
		start(t, app, below.Spec("task"))
		if _, err := p.client(t).Get("http://app/"); err == nil {
			t.Error("there was an answer")
		}
		synctest.Wait()
		if n, _ := p.opened(); n != 1 {
			t.Errorf("%d attempts", n)
		}
	})
	if got := text.String(); !strings.Contains(got, "panic serving") || !strings.Contains(got, "path=/app/task/http") {
		t.Errorf("logged %q", got)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestAServerNeedsATaskAndClosesItsListenerWithoutOne(t *testing.T) {
	p := newPipes()
	if err := p.task(hello).Run(t.Context()); !errors.Is(err, actor.ErrNoTask) {
		t.Errorf("got %v", err)
	}
	_, l := p.opened()
	<-l.closed
}

func TestAnHTTPTaskThatCannotServeIsRefused(t *testing.T) {
	p := newPipes()
	l, _ := p.listen(t.Context())
	server := &http.Server{}
	for _, c := range []struct {
		says  string
		task  actor.Task
		field string
	}{
		{"no task", (*tasks.HTTPTask)(nil), "Task"},
		{"no server", tasks.HTTP(nil), "Server"},
		{"a negative drain", &tasks.HTTPTask{Server: server, Drain: -1}, "Drain"},
		{"two listeners", &tasks.HTTPTask{Server: server, Listener: l, Listen: p.listen}, "Listener"},
		{"a server alone", tasks.HTTP(server), ""},
		{"a listener", &tasks.HTTPTask{Server: server, Listener: l, Drain: time.Second}, ""},
	} {
		if got := refusedField(t, c.task); got != c.field {
			t.Errorf("%s: refused for %q, want %q", c.says, got, c.field)
		}
	}
}
