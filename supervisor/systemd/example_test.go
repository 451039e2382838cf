package systemd_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/supervisor"
	"github.com/taskvisor/taskvisor/supervisor/health"
	"github.com/taskvisor/taskvisor/supervisor/systemd"
)

// listen plays the service manager, for the examples. A program has nothing like it.
func listen() (next func() string, end func()) {
	dir, err := os.MkdirTemp("", "sd")
	if err != nil {
		log.Fatal(err)
	}
	at := &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"}
	conn, err := net.ListenUnixgram("unixgram", at)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.Setenv("NOTIFY_SOCKET", at.Name); err != nil {
		log.Fatal(err)
	}
	next = func() string {
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
		text := make([]byte, 1024)
		n, err := conn.Read(text)
		if err != nil {
			log.Fatal(err)
		}
		return strings.ReplaceAll(string(text[:n]), "\n", " ")
	}
	return next, func() {
		_ = os.Unsetenv("NOTIFY_SOCKET")
		_ = conn.Close()
		_ = os.RemoveAll(dir)
	}
}

// The notifier has two ends: a task, and a subscriber.
func ExampleNotifier() {
	next, end := listen()
	defer end()

	var notify systemd.Notifier
	app := supervisor.New(supervisor.Config{
		Name: "app",
		Children: []actor.Spec{
			notify.Spec(""),
			{Name: "http", Task: actor.Func(func(ctx context.Context) error { <-ctx.Done(); return nil })},
		},
		Subscribers: []events.Subscriber{notify.Subscriber()},
	})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }() // in a program: err := app.Main(ctx)

	fmt.Println(next())
	stop()
	fmt.Println(next())
	fmt.Println(<-ended)
	// Output:
	// READY=1 STATUS=ready: 2 tasks
	// STOPPING=1 STATUS=stopping
	// <nil>
}

// Where probes and systemd are to say the same, they share a Checker.
func ExampleNotifier_checker() {
	var notify systemd.Notifier
	app := supervisor.New(supervisor.Config{
		Name:        "app",
		Children:    []actor.Spec{notify.Spec("")},
		Subscribers: []events.Subscriber{notify.Subscriber()},
	})
	probes, err := health.New(app, health.Config{Tolerate: health.NoTolerance})
	if err != nil {
		log.Fatal(err)
	}
	notify.Checker = probes

	// mux.Handle("/readyz", probes.Ready()), and then app.Main(ctx).
	fmt.Println(probes.Readiness().Status)
	// Output: not_ready
}

// Outside of systemd, the task is complete at once.
func ExampleNotifier_Run() {
	var notify systemd.Notifier
	fmt.Println(errors.Is(notify.Run(context.Background()), actor.Done))
	// Output: true
}
