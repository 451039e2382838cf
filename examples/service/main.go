// Command service is a small HTTP API in which everything that runs is
// supervised. Start it, and watch the events of its tree on the console:
//
//	go run ./examples/service
//
//	/app                  one for one
//	├── http              the API
//	├── load              samples the load of this machine
//	├── rates             rest for one: when the upstream dies, its clients go with it
//	│   ├── upstream      a server that fails often
//	│   └── clients       one for one: the backoff of one does not delay the other
//	│       ├── eur
//	│       └── usd
//	└── welcome           says what to try, and is done
//
// The API shows what the tasks have found (/load, /rates), the tree itself
// (/tree), what a load balancer wants to know of it (/healthz, /readyz), and
// figures for Prometheus (/metrics).
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/subscribers/console"
	"github.com/taskvisor/taskvisor/subscribers/prom"
	"github.com/taskvisor/taskvisor/supervisor"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "listen on this address; port 0 is any free one")
	every := flag.Duration("every", time.Second, "how often to sample the load and to ask the upstream")
	hang := flag.Bool("hang", false, "add a task that ignores its context, and see what becomes of Ctrl-C")
	lameDuck := flag.Duration("lameduck", 0, "after Ctrl-C keep serving for so long, but not ready any more")
	quiet := flag.Bool("quiet", false, "print no events")
	flag.Parse()

	machine := &machine{every: *every}
	rates := newRates(*every)
	api := newAPI(*addr, machine, rates)

	// Children start in this order, each after its elders are ready. The API
	// comes first, so that it can tell who is not ready yet.
	children := []actor.Spec{api.spec(), machine.spec(), rates.spec()}
	if *hang {
		children = append(children, actor.Spec{Name: "hang", Task: actor.Func(stubborn)})
	}
	children = append(children, actor.Spec{Name: "welcome", Task: actor.Func(api.welcome)})

	var metrics prom.Collector
	cfg := supervisor.Config{
		Name: "app", Children: children, LameDuck: *lameDuck,
		Subscribers: []events.Subscriber{metrics.Subscriber()},
	}
	if !*quiet {
		cfg.Subscribers = append(cfg.Subscribers, console.New(os.Stdout).Subscriber())
	}
	app := supervisor.New(cfg)
	// What ends the app ends the program: to start it again is for whoever
	// started it, with the reason in its hands.
	err := api.observe(app, &metrics)
	if err == nil {
		err = app.Main(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "service:", err)
		os.Exit(1)
	}
}

// stubborn is how not to write a task: it never looks at its context.
func stubborn(context.Context) error { select {} }
