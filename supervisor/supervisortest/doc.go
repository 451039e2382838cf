// Package supervisortest helps to test a tree of tasks in virtual time.
//
// [Run] runs a tree in a testing/synctest bubble of its own, with everything that
// happens recorded, and stops it at the end. There hours of backoff take no time, and
// "nothing happens any more" can be waited for.
//
//	func TestTheCacheIsRestartedWithThePool(t *testing.T) {
//		supervisortest.Run(t, app, func(t *testing.T, tree *supervisortest.Tree) {
//			tree.Fail("/app/db/pool", errors.New("connection reset"))
//			tree.Await(events.Event{Kind: events.GroupRestarted, Path: "/app/db"})
//			tree.AwaitReady()
//		})
//	}
//
// [Drill] fails everything in a tree once, one after the other, and checks that it
// heals:
//
//	func TestTheAppHeals(t *testing.T) { supervisortest.Drill(t, app) }
//
// In both, app returns the supervisor.Config of the program, with fakes for what is
// outside. It is called in the bubble, so that the channels and timers that it makes
// belong there.
//
// # What holds in a bubble
//
// Time passes when every goroutine waits for another one of the bubble, or for a time.
// One that waits for a real socket, or for a lock that is held for long, stops the
// clock: use net.Pipe and the like. Test the supervisor and not its Main, which listens
// to the signals of the process.
//
// A tree is over when its test is. It fails the test if it has not stopped cleanly
// then: what was left behind is named with its stacks, stuck tasks by the error of Run,
// and goroutines that a task has started by itself by the path of that task
// ([supervisor.Supervisor.Leaks]). The bubble counts again, and panics over what is
// left of anybody else. In Run and Drill that panic is a failed test where the leak was
// named before, so that the other tests still run.
package supervisortest
