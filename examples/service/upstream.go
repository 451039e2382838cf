package main

import (
	"context"
	"errors"
	"math"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/taskvisor/taskvisor/actor/tasks"
)

var errCrashed = errors.New("crashed, as it does every so often")

// upstream plays a server on a bad day, which in life would be somebody else's:
// each fourth request is answered with an error, and each 25th is its last.
type upstream struct {
	// url differs after each crash. It needs no lock: it is set before the task is
	// ready, rest for one starts the clients after that, and it has stopped them
	// before the next attempt.
	url string

	asked atomic.Uint64
}

// Run serves until it is told to stop, or crashes. A task may be made of others.
func (u *upstream) Run(ctx context.Context) error {
	ctx, crash := context.WithCancelCause(ctx)
	defer crash(nil)
	server := tasks.HTTP(&http.Server{Handler: u.quotes(crash), ReadHeaderTimeout: time.Second})
	server.Listen = u.listen
	if err := server.Run(ctx); err != nil {
		return err
	}
	return context.Cause(ctx) // that it crashed, or why it was to stop, which is no failure
}

// listen takes any free port.
func (u *upstream) listen(context.Context) (net.Listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		u.url = "http://" + l.Addr().String()
	}
	return l, err
}

// quotes answers GET /{currency}.
func (u *upstream) quotes(crash context.CancelCauseFunc) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{currency}", func(w http.ResponseWriter, _ *http.Request) {
		switch n := u.asked.Add(1); {
		case n%25 == 0:
			crash(errCrashed)
			panic(http.ErrAbortHandler) // no answer at all
		case n%4 == 0:
			http.Error(w, "not now", http.StatusServiceUnavailable)
		default:
			answer(w, http.StatusOK, quote{Rate: 1 + math.Abs(math.Sin(float64(n))), At: time.Now()})
		}
	})
	return mux
}
