package systemd

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
	"github.com/taskvisor/taskvisor/supervisor/health"
)

// ErrNotRoot ends a Notifier without a Checker that is not a child of the root: it
// would take a part for the whole.
var ErrNotRoot = errors.New("systemd: the notifier must be a child of the root, or have a Checker")

// Notifier tells systemd how the app is that it is part of. It has two ends: a
// task, which looks and tells, and a subscriber, which says when. Both belong to
// the root: hang Spec among its Children, and Subscriber among its Subscribers. The
// zero Notifier is ready. It is for one app and must not be copied.
type Notifier struct {
	// Checker judges the app. Nil means a Checker with the default patience, of
	// the supervisor that runs the task; give it the one that answers the probes
	// to have the same answers in both places. It is set before the app is run.
	Checker *health.Checker

	subscribed atomic.Bool
	once       sync.Once
	wake       chan struct{} // made once, see poked
}

// Spec returns the spec of the task; an empty name means "systemd". It is Optional:
// the app is ready without it, and READY does not wait for itself. As the first
// child it tells of the start, too, and in an ordered stop it goes last.
//
// Without a Checker it must be a child of the root. Validate does not see that it is
// not: below another supervisor the task fails for good with ErrNotRoot when it is
// run, and only where there is a NOTIFY_SOCKET. Being Optional it does not stop the
// app, which is up while systemd waits for READY until its TimeoutStartSec is over.
//
// A socket that cannot be written to is a failure like any other, retried after a
// second up to a minute. Under RestForOne and OneForAll such a failure restarts its
// siblings like any other, and everywhere it counts against the Intensity.
//
// A supervisor with EndWhenEmpty, such as that of the function supervisor.Main,
// does not end while it has this task.
func (n *Notifier) Spec(name string) actor.Spec {
	if name == "" {
		name = "systemd"
	}
	return actor.Spec{
		Name: name, Task: n, Optional: true, NoPermit: true,
		Backoff: policy.Exponential(time.Second, time.Minute), MaxRetries: policy.Unlimited,
		Timeout: policy.NoTimeout, Stall: policy.NoTimeout, // defaults of the family are not meant for it
		Grace: time.Second, // a write to a socket that nobody reads cannot be interrupted
	}
}

// Subscriber returns a subscriber named "systemd" that is given the kinds of events
// after which the app may be better or worse.
func (n *Notifier) Subscriber() events.Subscriber {
	n.subscribed.Store(true)
	return events.Subscriber{Name: "systemd", Handler: n, Silent: true, Kinds: []events.Kind{
		events.SupervisorStarted, events.SupervisorStopping,
		events.GroupRestarting, events.GroupRestarted,
		events.TaskReady, events.AttemptStarted, events.RetryScheduled, events.TaskStopping,
		events.TaskStuck, events.TaskAbandoned, events.TaskFinished, events.TaskRemoved,
	}}
}

// Handle has the task look. It never blocks.
func (n *Notifier) Handle(events.Event) {
	select {
	case n.poked() <- struct{}{}:
	default:
	}
}

func (n *Notifier) poked() chan struct{} {
	n.once.Do(func() { n.wake = make(chan struct{}, 1) })
	return n.wake
}

// Validate returns a *policy.FieldError if Subscriber was never called: a task that
// nobody tells when to look would say nothing.
func (n *Notifier) Validate() error {
	if !n.subscribed.Load() {
		return &policy.FieldError{Field: "Subscriber", Reason: "must be among the Subscribers of the root"}
	}
	return nil
}

// Run tells until ctx ends. It completes at once without a NOTIFY_SOCKET, fails
// when that cannot be written to, and for good with ErrNotRoot or when the
// WATCHDOG_USEC of the environment is no number.
func (n *Notifier) Run(ctx context.Context) error {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return actor.Done
	}
	timeout, err := daemon.SdWatchdogEnabled(false) // 0 too when the watchdog is another process's
	if err != nil {
		return actor.Fatal(err)
	}
	checker, err := n.checker(ctx)
	if err != nil {
		return actor.Fatal(err)
	}
	t := teller{app: checker, send: send, wake: n.poked(), every: timeout / 2}
	return t.run(ctx)
}

// checker is the one that was given, or one of the tree around the task.
func (n *Notifier) checker(ctx context.Context) (*health.Checker, error) {
	if n.Checker != nil {
		return n.Checker, nil
	}
	root := supervisor.FromContext(ctx)
	if root == nil || root.Tree().ID != 0 { // only a root has none
		return nil, ErrNotRoot
	}
	return health.New(root, health.Config{})
}

// send writes one datagram.
func send(state string) error {
	_, err := daemon.SdNotify(false, state)
	return err
}
