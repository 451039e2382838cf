package actor

import "context"

// Task is what runs. Run is called once per attempt, never twice at a time for
// one spec (but for an abandonment that an event announced). It should return
// soon after ctx has ended; how long that may take is the spec's Grace.
//
// One Task value may be given to several specs only if its Run may be called
// concurrently.
type Task interface {
	Run(ctx context.Context) error
}

// Func is a function that is a task.
type Func func(ctx context.Context) error

// Run calls f.
func (f Func) Run(ctx context.Context) error { return f(ctx) }
