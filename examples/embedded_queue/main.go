// Embedded queue is a web shop that was there before: a main, a server, a handler. Ten
// lines give it a queue, without a supervisor of its own. What it has promised to a
// client is on disk, and is done by the next process if this one dies.
//
//	go run ./examples/embedded_queue
//	curl -X POST 'http://127.0.0.1:8080/orders?item=tea&wait=1s'
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/boltstore"
)

// order is the input of a job.
type order struct {
	Item string `json:"item"`
}

// Two orders of one item are two orders: without a key there are no duplicates.
var packing = persist.Define[order]("pack", persist.WithoutKey())

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	listener, err := net.Listen("tcp", "127.0.0.1:8080")
	if err == nil {
		s := &shop{log: log.New(os.Stdout, "", 0), bake: 10 * time.Second}
		err = s.serve(ctx, listener, filepath.Join(os.TempDir(), "taskvisor-orders.db"))
	}
	if err != nil {
		log.Fatal(err)
	}
}

// shop is what the program is about.
type shop struct {
	log   *log.Logger
	bake  time.Duration // how long a cake takes
	queue *persist.Queue
}

// serve opens the shop. It closes with ctx.
func (s *shop) serve(ctx context.Context, listener net.Listener, db string) error {
	// The queue: it runs beside the server, until it is told to stop.
	s.queue = persist.New(persist.Config{
		Store:    boltstore.File(db, boltstore.Options{}),
		Handlers: []persist.Handler{packing.Handle(s.pack)},
		Drain:    100 * time.Millisecond, // for what has been begun
	})
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.queue.Run(running) }()
	if err := s.queue.WaitReady(ctx); err != nil {
		stop()
		return errors.Join(err, <-ended)
	}

	// The server, as it was.
	server := &http.Server{Handler: s.routes(), ReadHeaderTimeout: time.Second}
	closed := make(chan error, 1)
	context.AfterFunc(ctx, func() { closed <- server.Shutdown(context.WithoutCancel(ctx)) })
	err := server.Serve(listener)
	if errors.Is(err, http.ErrServerClosed) {
		err = <-closed
	}

	// It has taken its last order, so the queue can go. What it has not done by then is
	// done when it is opened again.
	stop()
	return errors.Join(err, <-ended)
}

func (s *shop) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders", s.order)
	return mux
}

// order takes an order, which is on disk when the client is told. A client may wait for
// it to be packed.
func (s *shop) order(w http.ResponseWriter, r *http.Request) {
	result, err := packing.Submit(r.Context(), s.queue, order{r.FormValue("item")})
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	patience, _ := time.ParseDuration(r.FormValue("wait")) // none is none
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	w.WriteHeader(http.StatusAccepted)
	if j, err := s.queue.Await(ctx, result.ID); err == nil {
		_, _ = fmt.Fprintf(w, "order %d: %v\n", j.ID, j.End.Kind)
		return
	}
	_, _ = fmt.Fprintf(w, "order %d is taken, and will be packed\n", result.ID)
}

// pack is what a job does.
func (s *shop) pack(ctx context.Context, o order) error {
	if o.Item == "moon" {
		return persist.Cancel(errors.New("it is not for sale"))
	}
	if o.Item == "cake" { // it has to be baked
		select {
		case <-time.After(s.bake):
		case <-ctx.Done():
			return context.Cause(ctx) // so that it is packed when the shop opens again
		}
	}
	s.log.Print("packed: ", o.Item)
	return nil
}
