package actor

import (
	"context"

	"github.com/taskvisor/taskvisor/events"
)

// Task is what runs. Run is called once per attempt, never twice at a time for
// one spec (but for an abandonment that an event announced). It should return
// soon after ctx has ended; how long that may take is the spec's Grace.
//
// One Task value may be given to several specs only if its Run may be called
// concurrently.
type Task interface {
	Run(ctx context.Context) error
}

// Described is a task that runs on behalf of a stored job. The events about it say which.
type Described interface {
	Task
	// Describe returns the job, which is not changed any more. It is called for each
	// event and each Info, by any goroutine and with a supervisor's lock held: it only
	// returns what was made before.
	Describe() *events.Job
}

// Reviewed is a described task that is told how each of its attempts ended.
type Reviewed interface {
	Described
	// Review is called when the attempt is over and all of its helpers have returned: on its
	// goroutine, before those that are around it are told, and for one that was abandoned when it
	// returns after all. If what is around it has failed, Run may not have been called. A panic is the
	// attempt's failure.
	Review(at *Attempt, res Result)
}

// Func is a function that is a task.
type Func func(ctx context.Context) error

// Run calls f.
func (f Func) Run(ctx context.Context) error { return f(ctx) }
