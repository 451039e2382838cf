// Package health derives from a tree of supervisors whether its process should be
// sent requests (readiness) and whether it should be killed (liveness).
//
//	probes, err := health.New(app, health.Config{})
//	...
//	mux.Handle("/readyz", probes.Ready())
//	mux.Handle("/healthz", probes.Live())
//
// Nothing is registered and nothing is reported by hand: the tree is asked at each
// probe, and what a supervisor knows of its children is the answer.
//
// # What counts
//
// A critical task is a declared child that is not Optional, of a supervisor that is
// critical itself, up to the root. Its trouble makes the app not ready. What is
// wrong with an optional task, with one that was added at run time, or with
// anything below such a one is reported, but the app is only degraded by it. An
// optional task is wrong when it has failed, is stuck, or is down in a streak of
// failures, and from then on until it has settled; that it starts, stops or waits
// for a permit is its ordinary life. A child that somebody has stopped is missed by
// nobody.
//
// # Readiness
//
// An app that has not begun, starts, stops (its lame-duck time included) or has
// ended is not ready, at once. In between, a critical task is judged with some
// hysteresis, so that neither a hiccup nor a lucky moment turns the traffic around:
//
//   - At its first start it is good as soon as it is ready, if it has not failed
//     before that.
//   - One that was good and is down is tolerated for Config.Tolerate. If it is down
//     at the end of that time, or at any moment after it, readiness falls. A short
//     recovery in between does not begin the time anew.
//   - One in trouble is good again when it has been up for Config.Settle without a
//     break; at once, if it has completed, or if it has not failed since it was
//     good and is in no streak of failures. Once its tolerance is used up, a failure
//     before that has readiness fall at once: Problem.FallsAtOnce says so, since
//     there is no FallsIn.
//
// An optional task settles in the same way, and the app is degraded meanwhile.
//
// Failures between two probes are noticed by the counts that supervisors keep. One
// is tolerated as a hiccup. After several, and after one that follows another
// before it has settled, the task counts as having been in trouble since the
// earlier probe. So the answers hardly depend on how often somebody asks. Of what
// was added at run time, nothing is remembered but its present trouble.
//
// Without tolerance and settling the answer is exactly the Ready of the root.
//
// # Liveness
//
// A supervisor is there to mend what fails, so liveness is slow to give up. It does
// so only when the run of the root was seen and has ended, or when a critical task
// has been stuck for Config.StuckAfter: its supervisor may start no second one
// beside it, and nothing in the process can end the first. An orderly stop is
// alive, since it ends in bounded time, and so is an app whose tasks only fail. A
// task that somebody has told to stop, and that hangs, is no reason either.
//
// # Figures
//
// A Checker is an events.Source beside the supervisor that it is about, for the same
// collector: metrics.Add(app, probes). Each has the label supervisor, the path of the
// root, so one app has one Checker there.
//
//	health_ready     1 if Readiness is OK, otherwise 0
//	health_live      1 if Liveness is OK, otherwise 0
//	health_problems  those of Readiness, by severity: critical, tolerated, optional
package health
