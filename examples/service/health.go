package main

import (
	"net/http"
	"time"

	"github.com/taskvisor/taskvisor/supervisor"
)

// health is the answer to a probe: whether all is well, and what is not.
type health struct {
	OK       bool      `json:"ok"`
	Problems []problem `json:"problems"`
}

// problem is one task that is not as it should be, and why.
type problem struct {
	Path  string           `json:"path"`
	State supervisor.State `json:"state"`
	// Waiting is the path of the child that a supervisor waits for.
	Waiting   string    `json:"waiting,omitempty"`
	Error     string    `json:"error,omitempty"`
	NextRetry time.Time `json:"next_retry,omitzero"`
}

func (h health) write(w http.ResponseWriter) {
	status := http.StatusOK
	if !h.OK {
		status = http.StatusServiceUnavailable
	}
	answer(w, status, h)
}

// liveness asks whether to kill the process. Only an app that has ended says
// yes: everything less is already being looked after by a supervisor.
func liveness(app supervisor.Node) health {
	if app.State.Ended() {
		return health{Problems: []problem{problemOf(&app)}}
	}
	return health{OK: true, Problems: []problem{}}
}

// readiness asks whether to send requests here, and names every task that says
// no: those that start, back off or stop.
func readiness(app supervisor.Node) health {
	h := health{OK: app.Ready, Problems: []problem{}}
	for n := range app.All() {
		// A supervisor that runs is as ready as its children, which come next.
		if n.Ready || n.IsSupervisor && n.State == supervisor.StateRunning {
			continue
		}
		h.Problems = append(h.Problems, problemOf(n))
	}
	return h
}

func problemOf(n *supervisor.Node) problem {
	return problem{
		Path: n.Path, State: n.State,
		Waiting: n.Waiting, Error: n.Error, NextRetry: n.NextRetry,
	}
}
