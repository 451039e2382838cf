package tasks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/taskvisor/taskvisor/actor"
)

// DefaultDrain is the Drain of an HTTPTask that does not say one. It is half of
// the grace that a task has by default.
const DefaultDrain = 5 * time.Second

// ErrListenerUsed ends an HTTPTask whose Listener has been closed with an
// earlier attempt.
var ErrListenerUsed = errors.New("tasks: the listener was closed with an earlier attempt: set Listen to open one for each")

// HTTP makes a task that serves s, with the defaults of HTTPTask.
func HTTP(s *http.Server) *HTTPTask { return &HTTPTask{Server: s} }

// HTTPTask serves HTTP. Each attempt opens a listener, says that it is ready,
// and serves until its context ends or the listener fails, which is the failure
// of the attempt. Then it stops listening, lets the open requests finish for as
// long as Drain allows, and closes what is left.
//
// The contexts of requests carry the values of the task (actor.Logger works in a
// handler) but do not end with the task's: an open request may finish. They end
// when the requests are drained or Drain is over, which is how handlers that
// stream, or that have taken over their connection, learn of it. A handler that
// goes on after that is not waited for; a Supervisor's Leaks finds it.
//
// Set the fields before the task is started.
type HTTPTask struct {
	// Server says what is served and is required. It is only a pattern, since an
	// http.Server cannot be used again after a Shutdown: each attempt serves
	// another copy of its exported fields. So methods called on Server have no
	// effect; functions given to its RegisterOnShutdown are not called. Without
	// a BaseContext, and without an ErrorLog, it gets those of the task. With
	// certificates in its TLSConfig it serves TLS.
	Server *http.Server
	// Listen opens the listener of an attempt, which closes it. Nil means TCP at
	// the Addr of Server.
	Listen func(ctx context.Context) (net.Listener, error)
	// Listener is one that is open already, instead of Listen. The first attempt
	// closes it, so a second one fails with ErrListenerUsed and is the last.
	Listener net.Listener
	// Drain is how long open requests may take at a stop, after which their
	// connections are closed. Zero means DefaultDrain. Keep it below the spec's
	// Grace.
	Drain time.Duration

	used atomic.Bool // Listener was
}

// Run serves until ctx ends.
func (h *HTTPTask) Run(ctx context.Context) error {
	listener, err := h.listen(ctx)
	if err != nil {
		return err
	}
	base, endRequests := context.WithCancelCause(context.WithoutCancel(ctx))
	server := h.fresh(base)
	defer func() {
		endRequests(context.Cause(ctx))
		_ = server.Close() // what there is to close is given up
	}()

	err = actor.Go(ctx, func(ctx context.Context) error {
		err := serve(server, listener)
		if ctx.Err() != nil && errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return err
	})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	actor.Ready(ctx)
	<-ctx.Done()
	return h.drain(ctx, server)
}

// drain stops listening and waits for the open requests.
func (h *HTTPTask) drain(ctx context.Context, server *http.Server) error {
	limit := h.Drain
	if limit == 0 {
		limit = DefaultDrain
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	err := server.Shutdown(ctx)
	if ctx.Err() != nil {
		return fmt.Errorf("connections were still in use after %v and are cut off", limit)
	}
	return err
}

// Validate refuses what Run could not use.
func (h *HTTPTask) Validate() error {
	switch {
	case h.Server == nil:
		return refuse("Server", nil, "must not be nil")
	case h.Listener != nil && h.Listen != nil:
		return refuse("Listener", h.Listener.Addr(), "must not be set together with Listen")
	case h.Drain < 0:
		return refuse("Drain", h.Drain, "must not be negative")
	}
	return nil
}
