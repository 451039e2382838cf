package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/taskvisor/taskvisor/actor"
)

// program is what the tasks share: channels only, so that each task may fail and
// start again at any time.
type program struct {
	requests chan chan string // to be answered by a worker
	faults   chan error       // to break the index with
}

var errPage = errors.New("page 7 is corrupt")

// server passes the requests on to the tasks.
func (p *program) server() *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		answer := make(chan string)
		select {
		case p.requests <- answer:
			_, _ = io.WriteString(w, <-answer)
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("GET /break", func(w http.ResponseWriter, r *http.Request) {
		select {
		case p.faults <- errPage:
			_, _ = io.WriteString(w, "as you like")
		case <-r.Context().Done():
		}
	})
	return &http.Server{Handler: mux, ReadHeaderTimeout: time.Second}
}

// work answers one request after the other.
func (p *program) work(ctx context.Context) error {
	info, _ := actor.FromContext(ctx)
	for {
		select {
		case answer := <-p.requests:
			answer <- "hello from " + info.Path
		case <-ctx.Done():
			return nil
		}
	}
}

// part is a part of the store, which fails with whatever fault comes.
func part(faults <-chan error) actor.Task {
	return actor.Func(func(ctx context.Context) error {
		actor.Ready(ctx) // those after it may start
		select {
		case fault := <-faults:
			return fault
		case <-ctx.Done():
			return nil
		}
	})
}
