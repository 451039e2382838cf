package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
)

type api struct {
	takes     time.Duration // a job
	log       *slog.Logger
	jobs      *controller.Controller
	outcomes  *outcomes
	submitted atomic.Int64
}

func (a *api) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /deploy", a.deploy)
	mux.HandleFunc("POST /export", a.export)
	mux.HandleFunc("GET /jobs", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, a.jobs.Snapshot()) })
	mux.HandleFunc("DELETE /jobs/{id}", a.cancel)
	return mux
}

// deploy replaces the deployment that runs, and the one that waits.
func (a *api) deploy(w http.ResponseWriter, r *http.Request) {
	env, version := r.FormValue("env"), r.FormValue("version")
	a.submit(w, r, controller.Submission{Key: "deploy/" + env, Admission: controller.Replace}, env, version)
}

// export waits for its turn, and gives up after a minute.
func (a *api) export(w http.ResponseWriter, r *http.Request) {
	tenant := r.FormValue("tenant")
	a.submit(w, r, controller.Submission{Key: "export/" + tenant, TTL: time.Minute}, tenant)
}

// submit answers with the number of the job before its work begins, or with the outcome
// if that is there at once. The job has no name but that number.
func (a *api) submit(w http.ResponseWriter, r *http.Request, sub controller.Submission, asked ...string) {
	answered := make(chan struct{})
	defer close(answered)
	// Two that must not run at a time do not even if one is stuck: it is waited for.
	sub.Spec = actor.Spec{Task: a.work(answered), Restart: policy.Never, OnStuck: policy.StuckWait}
	if slices.Contains(asked, "") || len(sub.Key) > controller.MaxKey {
		http.Error(w, "a parameter is missing or too long", http.StatusBadRequest)
		return
	}

	// While the controller as a whole is full the client waits too, but not for as long
	// as open requests may take at a stop.
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	h, err := a.jobs.Submit(ctx, sub)
	if h == nil { // nothing was submitted
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	a.submitted.Add(1)
	a.outcomes.follow(ctx, h) // also if ctx has ended: that is an outcome, and told

	status := http.StatusAccepted
	if outcome, ended := h.Outcome(); ended {
		status = http.StatusConflict // a later deployment was faster, say
		if outcome.Reason == events.ReasonFull {
			status = http.StatusTooManyRequests
		}
	}
	answer(w, status, receipt(h))
}

// work stands for what a job does, as soon as its client has the answer.
func (a *api) work(answered <-chan struct{}) actor.Task {
	return actor.Func(func(ctx context.Context) error {
		select {
		case <-answered:
			actor.Logger(ctx).Info("working")
		case <-ctx.Done():
		}
		select {
		case <-time.After(a.takes):
		case <-ctx.Done():
		}
		return ctx.Err()
	})
}

// cancel answers how the job has ended. A number is unique in this process only: who
// stores it has to store with it which process that was.
func (a *api) cancel(w http.ResponseWriter, r *http.Request) {
	id, _ := strconv.ParseUint(r.PathValue("id"), 10, 64) // 0, which is no job, for what is no number
	h, err := a.jobs.Handle(events.ID(id))                // before Cancel: what has ended is not found
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	_ = a.jobs.Cancel(r.Context(), h.ID()) // the handle knows what came of it
	answer(w, http.StatusOK, receipt(h))
}

func receipt(h *actor.Handle) any {
	body := map[string]any{"id": h.ID()}
	if outcome, ended := h.Outcome(); ended {
		body["outcome"] = outcome.String()
	}
	return body
}

// answer has sent the body when it returns.
func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // who has hung up does not want to know
	_ = http.NewResponseController(w).Flush()
}
