package console_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/console"
	"github.com/taskvisor/taskvisor/supervisor"
)

// A program writes to os.Stderr. Here the lines go to a buffer, and what happened to the
// job is shown without its times.
func ExampleNew() {
	var out bytes.Buffer
	app := supervisor.New(supervisor.Config{
		Name:         "app",
		EndWhenEmpty: true,
		Subscribers:  []events.Subscriber{console.New(&out).Subscriber()},
		Children: []actor.Spec{
			{Name: "job", Task: actor.Func(func(context.Context) error { return nil })},
		},
	})
	_ = app.Run(context.Background())

	for line := range strings.Lines(out.String()) {
		if _, what, found := strings.Cut(line, "  "); found && strings.Contains(what, "/app/job") {
			fmt.Println(strings.Fields(what)[0])
		}
	}
	// Output:
	// added
	// started
	// succeeded
	// finished
}

// On a terminal the words can have colours: green is well, yellow is under way, red is
// trouble.
func ExampleWriter_color() {
	var out bytes.Buffer
	w := &console.Writer{Out: &out, Color: true}
	w.Handle(events.Event{
		Kind: events.AttemptEnded, At: time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC),
		Path: "/app/db", Attempt: 1, Exit: policy.Failed,
	})
	fmt.Printf("%q\n", out.String())
	// Output: "12:00:00.000  \x1b[31mfailed\x1b[0m      /app/db  attempt=1 elapsed=0s\n"
}
