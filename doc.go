// Package taskvisor is for Go programs whose goroutines must not die silently.
//
// It holds no code: the library is in the packages below.
//
//   - supervisor runs tasks in a tree: it starts them in order, restarts those that
//     fail, and stops them within one deadline. Begin with supervisor.Main.
//   - actor is what a task is: Task, Spec, Handle, the functions on its context, and
//     the errors that steer. actor/tasks has ready-made ones, such as an HTTP server.
//   - controller decides who may run for a key: it queues, replaces or drops.
//   - policy is when to run again: restart types, backoff, retry budget, intensity.
//   - events is what happened: the events, and the bus that carries them to
//     subscribers. subscribers/console writes them for people, subscribers/sloglog and
//     subscribers/zaplog to a log, subscribers/recorder keeps them for tests.
//   - subscribers/prom shows figures to Prometheus, subscribers/oteltrace makes a span
//     of each attempt.
//   - supervisor/health answers probes about a tree, supervisor/systemd tells systemd.
//   - supervisor/inspect finds settings that contradict each other, and says what a
//     failure would do. supervisor/supervisortest is for the tests of your own tree.
//
// The README shows the first ten lines of a program, docs/guide.md explains
// everything, and the programs in examples show one idea each.
package taskvisor
