// Package supervisor is the family and its rules: it starts tasks in order,
// restarts those that fail, and stops them, each within its grace and all
// within one deadline.
//
//	app := supervisor.New(supervisor.Config{
//		Name: "app",
//		Children: []actor.Spec{
//			{Name: "db", Task: pool, AwaitReady: true},
//			{Name: "http", Task: tasks.HTTP(server)},
//		},
//	})
//	err := app.Run(ctx)
//
// # Who decides what
//
// What follows an attempt is decided on the child's own goroutine, under the
// supervisor's lock: run it again (package policy), end it, or ask for the
// group to be restarted. What concerns several children is done by the
// goroutine of Run, one thing at a time: the ordered start, the group restart,
// the stop, and the care for those that do not return. It never waits with the
// lock held, so a supervisor answers whatever its children do.
//
// # Restarting
//
// A child that fails is run again as its spec says. With OneForOne that
// concerns nobody else; with RestForOne and OneForAll the younger children, or
// all, are stopped in reverse order, the pause of the one that failed is waited
// once, and then all of them start in order. Those that had completed start
// again; those that were stopped by hand, or had given up, do not. A running
// task with Restart: Never is stopped with its group and not started again.
//
// Every restart that follows a failure counts against the Intensity, a group
// restart once. Over the limit the supervisor stops its children and returns an
// *IntensityError, which its parent treats like any failure.
//
// # Stopping
//
// Children stop side by side under OneForOne, and in reverse order, one after
// the other, otherwise. The last tenth of the StopTimeout is kept for those
// whose turn has not come: then all are told at once. A task that has not
// returned at the end of its grace is stuck: an event says so, with the stacks
// of exactly its goroutines, and policy.OnStuck says what follows. Afterwards
// StopReport says how the stop went.
package supervisor
