package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/actor/tasks"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/prom"
	"github.com/taskvisor/taskvisor/supervisor"
	"github.com/taskvisor/taskvisor/supervisor/health"
)

// api answers with what the other tasks have found. It only reads: a slow or
// failing source makes an answer old, never slow.
type api struct {
	addr    string
	machine *machine
	rates   *rates
	mux     *http.ServeMux
	bound   atomic.Value // string: where it listens
}

func newAPI(addr string, machine *machine, rates *rates) *api {
	a := &api{addr: addr, machine: machine, rates: rates, mux: http.NewServeMux()}
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

// welcome says what to try. It is a task like the others, but one that ends;
// being the last, it speaks when everything else is up.
func (a *api) welcome(context.Context) error {
	fmt.Printf(`listening on http://%[1]s
  curl http://%[1]s/rates    and /load, /tree, /healthz, /readyz, /metrics
  Ctrl-C stops everything in its order; with -hang, a second one shows what hangs
`, a.bound.Load())
	return nil
}

func (a *api) routes() {
	a.mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, []string{"/load", "/rates", "/tree", "/healthz", "/readyz", "/metrics"})
	})
	a.mux.HandleFunc("GET /load", func(w http.ResponseWriter, _ *http.Request) {
		sample := a.machine.latest.Load()
		if sample == nil {
			answer(w, http.StatusServiceUnavailable, map[string]string{"error": "no sample yet"})
			return
		}
		answer(w, http.StatusOK, sample)
	})
	a.mux.HandleFunc("GET /rates", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, a.rates.latest())
	})
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

	if err := metrics.Add(app, checker); err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(metrics, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	a.mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))

	return nil
}

// answer writes v for people, who are the ones that try an example.
func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(v) // who has hung up does not want to know
}
