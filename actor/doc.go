// Package actor is one task's life: what a task is, how it is described, how an
// attempt at it is made, and how others follow it.
//
// A [Task] is anything with Run(ctx) error. A [Spec] describes it to a
// supervisor, which gives it an actor: one goroutine that makes the attempts in
// order. An attempt that panics, exits its goroutine, runs into its timeout or
// stops beating becomes an ordinary failure; what follows a failure is decided
// by the supervisor and package policy.
//
// # What the context carries
//
// The context given to Run belongs to one attempt. It ends when the attempt is
// told to stop, when it runs into its timeout, and when Run has returned. Then
// [context.Cause] says why: [ErrShutdown], [ErrStopped], [ErrRemoved],
// [ErrReplaced], [ErrRestarted], [ErrGroup], [ErrCancelled], [ErrSuperseded],
// [ErrReturned], a [*TimeoutError], a [*StallError], a [*NotReadyError], or the error of a helper goroutine that
// failed.
//
// From the context a task reaches its own identity ([FromContext]), its logger
// ([Logger]), and says that it is up ([Ready]) or alive ([Beat]). [Go] starts a
// helper goroutine that belongs to the attempt.
//
// # What an error says
//
// nil is success. Any error is a failure that is retried as the spec says, and
// some errors steer: [Fatal] (and *backoff.PermanentError) is never retried,
// [RetryAfter] sets the next delay once, [Done] ends the task as a success
// under any restart policy, [Escalate] ends its supervisor. They are found
// anywhere in the chain of a wrapped error.
//
// Whether a task was stopped is judged by its own context, never by the error
// it returned: a context.Canceled from somewhere else is an ordinary failure.
//
// # For supervisors
//
// Programs need [Task], [Func], [Spec], [Handle], [Outcome], the functions on the
// context and the errors. [Actor], [Attempt], [Parent], [Result], [Current] and
// [Contain] are how package supervisor, and what is built beside it, runs tasks.
package actor
