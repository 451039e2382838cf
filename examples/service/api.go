package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/actor/tasks"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/prom"
	"github.com/taskvisor/taskvisor/supervisor"
	"github.com/taskvisor/taskvisor/supervisor/health"
)

// api takes files, and answers what has become of them.
type api struct {
	addr    string
	watcher *watcher
	files   folder
	queue   *persist.Queue
	bus     *events.Bus
	mux     *http.ServeMux
	bound   atomic.Value // string: where it listens
}

func newAPI(addr string, w *watcher, bus *events.Bus) *api {
	a := &api{addr: addr, watcher: w, files: w.files, queue: w.queue, bus: bus, mux: http.NewServeMux()}
	a.routes()
	return a
}

// spec has the server tried four times in a row: an instance that is about to
// leave may still hold the port. Then the app ends, since it is nothing without
// its API. A server that ran for a minute has all its retries again.
func (a *api) spec() actor.Spec {
	task := tasks.HTTP(&http.Server{Handler: a.mux, ReadHeaderTimeout: 5 * time.Second})
	task.Listen = a.listen
	return actor.Spec{
		Name:       "http",
		Task:       task,
		AwaitReady: true,
		MaxRetries: 3,
		ResetAfter: time.Minute,
		OnGiveUp:   policy.GiveUpEscalate,
	}
}

// listen takes note of what port 0 has become.
func (a *api) listen(context.Context) (net.Listener, error) {
	l, err := net.Listen("tcp", a.addr)
	if err == nil {
		a.bound.Store(l.Addr().String())
	}
	return l, err
}

func (a *api) routes() {
	a.mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, []string{"/jobs", "/events", "/tree", "/healthz", "/readyz", "/metrics"})
	})
	a.mux.HandleFunc("POST /files/{name}", a.upload)
	a.mux.HandleFunc("GET /jobs", a.list)
	a.mux.HandleFunc("GET /jobs/{id}", about(a.show))
	a.mux.HandleFunc("GET /jobs/{id}/why", about(a.why))
	a.mux.HandleFunc("POST /jobs/{id}/cancel", about(a.cancel))
	a.mux.HandleFunc("POST /jobs/{id}/revive", about(a.revive))
	a.mux.HandleFunc("GET /events", a.stream)
	// The context of a request knows the task that serves it, and so its supervisor.
	a.mux.HandleFunc("GET /tree", func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusOK, supervisor.FromContext(r.Context()).Tree())
	})
}

// observe adds the answers about the app as a whole, which exists only after its
// children do.
func (a *api) observe(app *supervisor.Supervisor, metrics *prom.Collector) error {
	checker, err := health.New(app, health.Config{})
	if err != nil {
		return err
	}
	a.mux.Handle("GET /healthz", checker.Live())
	a.mux.Handle("GET /readyz", checker.Ready())

	if err := metrics.Add(app, checker, a.queue, a.bus); err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(metrics, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	a.mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))

	return nil
}

// maxUpload is how large a file may be that is posted, in bytes.
const maxUpload = 1 << 30

// upload answers when the file and its job are on disk. If it does not answer, nothing
// is promised; but the file may be there, and then the watcher finds it.
func (a *api) upload(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if err := checkName(name); err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	if err := a.files.hasRoom(r.Context(), r.ContentLength); err != nil {
		refuse(w, http.StatusInsufficientStorage, err)
		return
	}
	f, err := a.files.receive(name, http.MaxBytesReader(w, r.Body, maxUpload))
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		refuse(w, http.StatusRequestEntityTooLarge, err)
		return
	}
	if err != nil {
		refuse(w, http.StatusInternalServerError, err)
		return
	}
	result, err := a.queue.Submit(r.Context(), jobFor(f))
	if err != nil {
		refuse(w, statusOf(err), err)
		return
	}
	a.watcher.take(f)
	// What is rejected has a job already.
	id := cmp.Or(result.ID, result.Other)
	w.Header().Set("Location", fmt.Sprint("/jobs/", id))
	answer(w, http.StatusAccepted, map[string]any{"job": id, "result": result.Kind, "file": f})
}

// list answers GET /jobs with what runs and what has ended last; ?kind=dead_letter and
// the like ask for one kind of end.
func (a *api) list(w http.ResponseWriter, r *http.Request) {
	query := persist.PastQuery{Limit: 20}
	if kind := r.FormValue("kind"); kind != "" {
		query.Kinds = make([]persist.Ending, 1)
		if err := query.Kinds[0].UnmarshalText([]byte(kind)); err != nil {
			refuse(w, http.StatusBadRequest, err)
			return
		}
	}
	past, err := a.queue.Past(r.Context(), query)
	if err != nil {
		refuse(w, statusOf(err), err)
		return
	}
	ended := make([]job, len(past))
	for i, j := range past {
		ended[i] = jobOf(j)
	}
	answer(w, http.StatusOK, map[string]any{"counts": a.queue.Counts(), "running": a.queue.Active(), "ended": ended})
}

// about makes a handler of what can be said of, or done with, a job.
func about(do func(ctx context.Context, id persist.ID) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
		if err != nil {
			refuse(w, http.StatusNotFound, persist.ErrNotFound)
			return
		}
		said, err := do(r.Context(), persist.ID(id))
		if err != nil {
			refuse(w, statusOf(err), err)
			return
		}
		answer(w, http.StatusOK, said)
	}
}

func (a *api) show(ctx context.Context, id persist.ID) (any, error) {
	j, err := a.queue.Job(ctx, id)
	if err != nil {
		return nil, err
	}
	return jobOf(j), nil
}

func (a *api) why(ctx context.Context, id persist.ID) (any, error) {
	wait, err := a.queue.Why(ctx, id)
	return map[string]any{"why": wait.String(), "details": wait}, err
}

// cancel answers when the job has ended.
func (a *api) cancel(ctx context.Context, id persist.ID) (any, error) {
	if err := a.queue.Cancel(ctx, id); err != nil {
		return nil, err
	}
	return a.show(ctx, id)
}

// revive puts a job back that has ended, or was set aside.
func (a *api) revive(ctx context.Context, id persist.ID) (any, error) {
	err := a.queue.Revive(ctx, id)
	if errors.Is(err, persist.ErrNotEnded) {
		err = a.queue.Release(ctx, id)
	}
	if err != nil {
		return nil, err
	}
	return a.why(ctx, id)
}

// job is what people are shown of one.
type job struct {
	ID        persist.ID     `json:"id"`
	Type      string         `json:"type"`
	Key       string         `json:"key"`
	Submitted time.Time      `json:"submitted"`
	Attempts  int            `json:"attempts"`
	Failures  int            `json:"failures,omitempty"`
	Error     string         `json:"error,omitempty"`
	Ended     persist.Ending `json:"ended,omitzero"`
	EndedAt   time.Time      `json:"ended_at,omitzero"`
}

func jobOf(j *persist.Job) job {
	v := job{ID: j.ID, Type: j.Type, Key: j.Key, Submitted: j.Submitted, Attempts: j.Attempts, Failures: j.Failures}
	if j.Last != nil {
		v.Error = j.Last.Text
	}
	if j.Ended() {
		v.Ended, v.EndedAt = j.End.Kind, j.End.At
	}
	return v
}

// statusOf says what an error of the queue means to a client.
func statusOf(err error) int {
	is := func(target error) bool { return errors.Is(err, target) }
	switch {
	case is(persist.ErrNotFound):
		return http.StatusNotFound
	case is(persist.ErrPruned):
		return http.StatusGone
	case is(persist.ErrEnded), is(persist.ErrNotEnded), is(persist.ErrCompleted), is(persist.ErrNotParked), is(persist.ErrKeyHeld):
		return http.StatusConflict
	case is(persist.ErrNotRunning), is(persist.ErrClosing), is(persist.ErrFull), is(persist.ErrUnknown):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

func refuse(w http.ResponseWriter, status int, err error) {
	answer(w, status, map[string]string{"error": err.Error()})
}

// answer writes v for people, who are the ones that try an example.
func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(v) // who has hung up does not want to know
}
