package console_test

import (
	"errors"
	"os"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/console"
)

// A supervisor subscribes it for the length of its run; here two events are handed
// to it directly.
func ExampleWriter() {
	w := console.New(os.Stdout)

	at := time.Date(2024, 5, 17, 12, 0, 0, 0, time.UTC)
	err := errors.New("connection refused")
	w.Handle(events.Event{Kind: events.AttemptEnded, At: at, Path: "/app/db", Attempt: 1, Exit: policy.Failed, Elapsed: 40 * time.Millisecond, Err: err})
	w.Handle(events.Event{Kind: events.RetryScheduled, At: at, Path: "/app/db", Attempt: 1, Delay: 150 * time.Millisecond, Err: err, Count: 1})
	// Output:
	// 12:00:00.000  failed      /app/db  attempt=1 elapsed=40ms error="connection refused"
	// 12:00:00.000  retrying    /app/db  attempt=1 delay=150ms failures=1
}
