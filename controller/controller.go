package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// Controller admits tasks by key, and runs them under a supervisor of its own. It is a
// task, to be hung in a tree by its Spec, and a [supervisor.Family]. All methods may be
// called by any goroutine, a supervised one included.
type Controller struct {
	cfg     Config // with its defaults
	invalid error  // what is wrong with it, or nil
	workers *supervisor.Supervisor
	counts  counts
	widths  sync.Map    // of keys that have their own, as int
	uneven  atomic.Bool // some key has had a width of its own
}

// New returns a controller that is not running. A configuration that cannot be used is
// refused by Validate, and by Run before anything happens.
func New(cfg Config) *Controller {
	c := &Controller{cfg: cfg.resolved(), invalid: cfg.check()}
	c.workers = supervisor.NewGuarded(c.cfg.Workers, (*keeper)(c))
	return c
}

// Spec returns a spec that hangs the controller in a tree. An empty name means the one
// of its Config.
func (c *Controller) Spec(name string) actor.Spec {
	if c.workers == nil {
		return actor.Spec{Name: name, Task: c} // is refused for that
	}
	spec := c.workers.Spec(name)
	spec.Task = c
	return spec
}

// Head returns the supervisor of the owners, whose names are those of their specs. What
// is started there by hand has no key.
func (c *Controller) Head() *supervisor.Supervisor { return c.workers }

// Run admits tasks until ctx ends or the supervisor of the owners gives up, and returns
// what that returns. What waits then is rejected; what runs is stopped.
func (c *Controller) Run(ctx context.Context) error {
	if err := c.Validate(); err != nil {
		return actor.Fatal(err)
	}
	return c.workers.Run(ctx)
}

// WaitReady returns nil when the controller runs, as Supervisor.WaitReady does. What it
// is asked during a stop it still answers: everything is rejected as closing then.
func (c *Controller) WaitReady(ctx context.Context) error {
	if err := c.Validate(); err != nil {
		return err
	}
	return c.workers.WaitReady(ctx)
}

// keeper is the controller as its supervisor sees it.
type keeper Controller

// Open begins a run, with nothing in it.
func (k *keeper) Open(door *supervisor.Door) supervisor.Guard { return newDesk((*Controller)(k), door) }

// desk returns that of the present run, or nil.
func (c *Controller) desk() *desk {
	if c.workers == nil {
		return nil // it was not made by New
	}
	d, _ := c.workers.Guard().(*desk)
	return d
}

// Submit has a task run for its key as soon as its admission and those before it allow,
// and returns its handle, by which to follow it. To be rejected is an outcome, not an
// error.
//
// Submit waits only while the controller as a whole is full, see Config.Capacity. If ctx
// ends meanwhile, it returns the handle, whose outcome is then that the submission was
// rejected as full, and a *supervisor.ChildError with the cause of ctx. With any other
// error there is no handle, and nothing was submitted: a *actor.SpecError, or a
// *supervisor.ChildError with ErrNotRunning, or with the cause of a ctx that had ended
// before.
func (c *Controller) Submit(ctx context.Context, sub Submission) (*actor.Handle, error) {
	t, err := c.Prepare(sub)
	if err != nil {
		return nil, err
	}
	return t.submit(ctx)
}

// Prepare gives a submission its ID, so that it can be noted before anything happens;
// store it together with something that names the process, which is how far it is unique.
// The ticket belongs to the present run of the controller. One that is never submitted
// leaves no trace. The error is a *actor.SpecError or a *supervisor.ChildError with
// ErrNotRunning.
func (c *Controller) Prepare(sub Submission) (*Ticket, error) {
	if err := sub.check(); err != nil {
		return nil, err
	}
	d := c.desk()
	if d == nil {
		return nil, c.refuse("submit", sub.Spec.Name, supervisor.ErrNotRunning)
	}
	task, err := d.door.Prepare(&sub.Spec)
	if err != nil {
		return nil, err
	}
	return &Ticket{
		desk: d, task: task, admission: sub.Admission,
		key: cmp.Or(sub.Key, sub.Spec.Name), ttl: cmp.Or(sub.TTL, c.cfg.TTL),
	}, nil
}

// Cancel ends a submission for good. One that waits is withdrawn; one that runs is
// stopped, as Supervisor.Stop does, and Cancel returns when it has ended or when ctx
// has. To know how it ended, ask Handle before: both know only what waits or runs.
//
// The error is a *supervisor.StopError if the task had to be left behind, and otherwise a
// *supervisor.ChildError: with ErrNotFound for what neither waits nor runs, with ErrSelf
// for a task that would cancel itself, ErrNotRunning, or the cause of ctx.
func (c *Controller) Cancel(ctx context.Context, id events.ID) error {
	d, err := c.open(ctx)
	if err != nil {
		return c.refuse("cancel", numbered(id), err)
	}
	t, err := d.cancel(ctx, id)
	switch {
	case t != nil && err != nil:
		return &supervisor.ChildError{Act: "cancel", Path: t.Handle().Path(), Err: err}
	case err != nil:
		return c.refuse("cancel", numbered(id), err)
	}
	if t == nil {
		return nil
	}
	return t.task.Await(ctx, "cancel")
}

// Purge withdraws everything that waits for a key, and returns how much that was. The
// owners are left alone.
func (c *Controller) Purge(key string) int {
	d := c.desk()
	if d == nil {
		return 0
	}
	d.door.Lock()
	defer d.door.Unlock()
	return d.purge(key)
}

// Stop purges a key and stops its owners, as one act, and returns when they have ended or
// when ctx has. What is submitted meanwhile comes after them. The error joins those that
// Cancel would return for each owner; a key for which nothing runs is no error.
func (c *Controller) Stop(ctx context.Context, key string) error {
	d, err := c.open(ctx)
	if err != nil {
		return c.refuse("stop", key, err)
	}
	owners, err := d.stop(ctx, key)
	if err != nil {
		return c.refuse("stop", key, err)
	}
	errs := make([]error, len(owners))
	for i, t := range owners {
		errs[i] = t.task.Await(ctx, "stop")
	}
	return errors.Join(errs...)
}

// SetWidth says how many tasks may run at a time for a key, from now on and in later
// runs. If that is more, those that wait take the new places at once. If it is less,
// nobody is told to end: owners that end are not followed by others until there are as
// few as that. Zero goes back to the Width of the Config. Each key that has a width of
// its own is remembered.
func (c *Controller) SetWidth(key string, n int) error {
	switch {
	case n < 0:
		return &policy.FieldError{Field: "Width", Value: n, Reason: "must not be negative"}
	case len(key) > MaxKey:
		return &policy.FieldError{Field: "Key", Value: len(key), Reason: "is longer than MaxKey"}
	case n == 0:
		c.widths.Delete(key)
	default:
		c.uneven.Store(true)
		c.widths.Store(key, n)
	}
	if d := c.desk(); d != nil {
		d.door.Lock()
		defer d.door.Unlock()
		d.widen(key)
	}
	return nil
}

// width is how many may run for a key.
func (c *Controller) width(key string) int {
	if c.uneven.Load() {
		if n, ok := c.widths.Load(key); ok {
			return n.(int)
		}
	}
	return c.cfg.Width
}

// Handle returns the handle of a submission that waits or runs. Once it has ended, only
// those that have the handle can tell how.
func (c *Controller) Handle(id events.ID) (*actor.Handle, error) {
	d, err := c.open(context.Background())
	if err != nil {
		return nil, c.refuse("find", numbered(id), err)
	}
	d.door.Lock()
	defer d.door.Unlock()
	if e := d.entries.Find(id); e != nil {
		return e.task.Handle(), nil
	}
	return nil, c.refuse("find", numbered(id), supervisor.ErrNotFound)
}

// numbered is what stands in errors for a submission that is not there.
func numbered(id events.ID) string { return fmt.Sprintf("#%d", id) }

// open returns the desk of the present run.
func (c *Controller) open(ctx context.Context) (*desk, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	d := c.desk()
	if d == nil {
		return nil, supervisor.ErrNotRunning
	}
	return d, nil
}

func (c *Controller) refuse(act, name string, err error) error {
	at := "/" + c.cfg.Name
	if d := c.desk(); d != nil {
		at = d.door.Path()
	}
	if quoted := strconv.Quote(name); quoted[1:len(quoted)-1] != name {
		name = quoted // a key may be anything
	}
	return &supervisor.ChildError{Act: act, Path: strings.TrimSuffix(at, "/") + "/" + name, Err: err}
}

var (
	_ supervisor.Family = (*Controller)(nil)
	_ supervisor.Keeper = (*keeper)(nil)
	_ events.Source     = (*Controller)(nil)
)
