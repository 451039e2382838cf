package tasks_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/actor/tasks"
	"github.com/taskvisor/taskvisor/supervisor"
)

// The listener may be there already, from a program's parent perhaps. A request that is
// open when the task is told to stop has the time of Drain to finish.
func ExampleHTTPTask() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	task := &tasks.HTTPTask{
		Listener: listener,
		Drain:    2 * time.Second,
		Server: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			stop() // the program is asked to go just now
			_, _ = io.WriteString(w, "finished")
		})},
	}
	app := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{
		{Name: "http", Task: task, AwaitReady: true},
		{Name: "visitor", Task: actor.Func(func(context.Context) error {
			res, err := http.Get("http://" + listener.Addr().String())
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
	// finished
	// <nil>
}
