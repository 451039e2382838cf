package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/subscribers/console"
)

// maxStreams is how many may look on at a time. Their names are used again, so that the
// figures about subscribers do not grow with the number of visitors.
const maxStreams = 8

var errTooMany = fmt.Errorf("%d others look on", maxStreams)

// stream writes the events as text, a line for each, until the client leaves or the app
// stops. A client that is too slow loses some, and is told how many.
func (a *api) stream(w http.ResponseWriter, r *http.Request) {
	ctx, end := context.WithCancel(r.Context())
	defer end()
	v := &viewer{lines: console.Writer{Out: w}, control: http.NewResponseController(w), end: end}
	sub, err := a.subscribe(v)
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	v.begin(w)
	<-ctx.Done()

	// The response may not be used after this returns. A client that has stopped
	// reading does not get what is left.
	last := context.WithoutCancel(ctx)
	soon, cancel := context.WithTimeout(last, time.Second)
	defer cancel()
	if sub.Close(soon) != nil {
		_ = v.control.SetWriteDeadline(time.Now())
		_ = sub.Close(last)
	}
}

// subscribe takes the first name that is free.
func (a *api) subscribe(v *viewer) (*events.Subscription, error) {
	for n := range maxStreams {
		sub, err := a.bus.Subscribe(events.Subscriber{Name: fmt.Sprint("stream-", n+1), Handler: v, Silent: true})
		if !errors.Is(err, events.ErrDuplicate) {
			return sub, err
		}
	}
	return nil, errTooMany
}

// viewer is a client that looks on.
type viewer struct {
	lines   console.Writer
	control *http.ResponseController
	end     context.CancelFunc
	mu      sync.Mutex // held while the response is written to
}

// begin shows the client that it is connected, before anything happens.
func (v *viewer) begin(w http.ResponseWriter) {
	v.mu.Lock()
	defer v.mu.Unlock()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_ = v.control.Flush()
}

// Handle writes a line. The stream ends with the app: a server that stops waits for
// those that are connected.
func (v *viewer) Handle(e events.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.lines.Handle(e)
	_ = v.control.Flush() // the end of the request tells of what is wrong
	if e.Kind == events.SupervisorStopping && e.Path == "/app" {
		v.end()
	}
}
