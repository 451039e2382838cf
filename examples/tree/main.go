// Tree runs a whole program as one tree: an HTTP server, two workers that answer the
// requests, and a store whose parts need each other in their order. A visitor looks at
// it, breaks a part of the store, looks again, and leaves, which ends the program.
//
//	go run ./examples/tree
package main

import (
	"context"
	"io"
	"log"
	"net"
	"os"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/actor/tasks"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/console"
	"github.com/taskvisor/taskvisor/supervisor"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // a port that is free
	if err != nil {
		return err
	}
	p := &program{requests: make(chan chan string), faults: make(chan error)}
	v := &visitor{url: "http://" + listener.Addr().String(), say: log.New(out, "", 0)}

	// One for one is the default: a worker that fails is nobody else's business.
	workers := supervisor.New(supervisor.Config{
		Children: []actor.Spec{
			{Name: "one", Task: actor.Func(p.work)},
			{Name: "two", Task: actor.Func(p.work)},
		},
	})
	// Rest for one: the index reads the disk, the cache reads the index. When one of
	// them fails, those after it are stopped in reverse and start again after it.
	store := supervisor.New(supervisor.Config{
		Strategy: supervisor.RestForOne,
		Children: []actor.Spec{
			{Name: "disk", Task: part(nil), AwaitReady: true},
			{Name: "index", Task: part(p.faults), AwaitReady: true},
			{Name: "cache", Task: part(nil), AwaitReady: true},
		},
		Defaults: supervisor.Defaults{Backoff: policy.Constant(20 * time.Millisecond)},
		// A store that fails more often fails as a whole, and its supervisor starts
		// it anew.
		Intensity: policy.Intensity{Restarts: 3, Within: time.Minute},
	})
	// Children start in this order, each when those before it are ready.
	v.app = supervisor.New(supervisor.Config{
		Name: "app",
		Children: []actor.Spec{
			{Name: "http", Task: &tasks.HTTPTask{Server: p.server(), Listener: listener}, AwaitReady: true},
			workers.Spec("workers"),
			store.Spec("store"),
			{Name: "visitor", Task: v, Restart: policy.Never, Significant: true},
		},
		AutoShutdown: supervisor.AutoShutdownAny, // when the visitor has left
		Bus:          &v.bus,
		Subscribers:  []events.Subscriber{console.New(out).Subscriber(), v.seen.Subscriber()},
	})

	// Main is Run, and Ctrl-C stops the tree gracefully.
	return v.app.Main(ctx)
}
