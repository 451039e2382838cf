package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/actor/tasks"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func ExampleHTTP() {
	server := &http.Server{Addr: "127.0.0.1:0", Handler: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			info, _ := actor.FromContext(r.Context())
			_, _ = io.WriteString(w, "hello from "+info.Path)
		})}
	// Only to find out the port: a program with an Addr of its own needs none of it.
	at := make(chan net.Addr, 1)
	task := tasks.HTTP(server)
	task.Listen = func(context.Context) (net.Listener, error) {
		l, err := net.Listen("tcp", server.Addr)
		if err == nil {
			at <- l.Addr()
		}
		return l, err
	}

	ctx, stop := context.WithCancel(context.Background())
	app := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{
		{Name: "http", Task: task, AwaitReady: true},
		{Name: "visitor", Task: actor.Func(func(context.Context) error {
			defer stop()
			res, err := http.Get("http://" + (<-at).String())
			if err != nil {
				return err
			}
			defer func() { _ = res.Body.Close() }()
			body, err := io.ReadAll(res.Body)
			fmt.Println(string(body))
			return err
		})},
	}})
	fmt.Println(app.Run(ctx))
	// Output:
	// hello from /app/http
	// <nil>
}

// ticker is a service written for suture.
type ticker struct{ ticks int }

func (t *ticker) Serve(context.Context) error {
	t.ticks++
	fmt.Println("tick", t.ticks)
	if t.ticks == 3 {
		return actor.Done
	}
	return errors.New("suture would restart me")
}

func ExampleServe() {
	err := supervisor.Main(context.Background(), actor.Spec{
		Name: "ticker", Task: tasks.Serve(&ticker{}), Backoff: policy.NoBackoff(),
	})
	fmt.Println(err)
	// Output:
	// tick 1
	// tick 2
	// tick 3
	// <nil>
}

func ExampleEvery() {
	n := 0
	sweep := func(context.Context) error {
		if n++; n == 3 {
			return actor.Done
		}
		fmt.Println("sweep", n)
		return nil
	}
	err := supervisor.Main(context.Background(), actor.Spec{
		Name: "sweep", Task: tasks.Every(time.Millisecond, sweep),
	})
	fmt.Println(err)
	// Output:
	// sweep 1
	// sweep 2
	// <nil>
}

func ExampleInterruptible() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	accept := func() error {
		_, err := l.Accept() // knows nothing of contexts
		return err
	}
	hangUp := func(why error) {
		fmt.Println(why)
		_ = l.Close()
	}

	ctx, stop := context.WithCancel(context.Background())
	app := supervisor.New(supervisor.Config{Children: []actor.Spec{
		{Name: "accept", Task: tasks.Interruptible(accept, hangUp)},
		{Name: "stop", Task: actor.Func(func(context.Context) error { stop(); return nil })},
	}})
	fmt.Println(app.Run(ctx))
	// Output:
	// taskvisor: the supervisor shuts down
	// <nil>
}
