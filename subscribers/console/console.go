// Package console writes events for people: a line each, to a terminal or a file.
//
//	app := supervisor.New(supervisor.Config{
//		Subscribers: []events.Subscriber{console.New(os.Stderr).Subscriber()},
//	})
//
// A line has the time of day, a word for what happened, the path, and what there is
// to say about it, always in the same order:
//
//	15:04:05.120  failed      /app/db  attempt=2 elapsed=40ms error="connection refused"
//	15:04:05.120  retrying    /app/db  attempt=2 delay=312ms failures=2
//
// An error is given by its first line, and not repeated where the task is retried.
// Below a stuck task, and below a panic, stand the stacks.
//
// The lines are for reading and may change. Programs should read the events.
package console

import (
	"io"
	"os"
	"sync"

	"github.com/taskvisor/taskvisor/events"
)

// Writer is an [events.Handler] that writes a line per event. Its zero value is
// ready and writes to os.Stderr. A Writer is for one subscription: it is called by
// one goroutine. Its fields are set before that and not changed afterwards.
type Writer struct {
	// Out is where the lines go, each with its stacks in one call of Write. Nil
	// means os.Stderr.
	Out io.Writer
	// Color has the words coloured by escape sequences, for a terminal.
	Color bool

	buf        []byte // the line being made
	lastTraced error  // whose stack was written last

	mu  sync.Mutex
	err error // guarded by mu: the first that Out returned
}

// New returns a Writer that writes to w.
func New(w io.Writer) *Writer { return &Writer{Out: w} }

// Subscriber returns a subscriber named "console" that is given all events.
func (w *Writer) Subscriber() events.Subscriber {
	return events.Subscriber{Name: "console", Handler: w}
}

// Handle writes the line of e.
func (w *Writer) Handle(e events.Event) {
	w.buf = w.appendLine(w.buf[:0], &e)
	w.buf = w.appendStacks(w.buf, &e)

	out := w.Out
	if out == nil {
		out = os.Stderr
	}
	if _, err := out.Write(w.buf); err != nil {
		w.keep(err)
	}
}

// Err returns the first error of writing, or nil. A Writer goes on after an error:
// a disk that was full may not stay so. Any goroutine may ask.
func (w *Writer) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

func (w *Writer) keep(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
}
