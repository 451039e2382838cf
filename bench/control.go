package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

const controlFamily = "Controller"

const (
	// shallow is how long a queue is with which a long one is compared.
	shallow = 100
	// burst is how many submissions are decided, or wait for one key, at a time.
	burst = 1000
	// submitters is from how many goroutines many submissions come.
	submitters = 64
)

// throughputs are the numbers of keys over which many submissions are spread.
var throughputs = []struct {
	keys int
	name string
}{{100, "100"}, {1000, "1k"}, {10_000, "10k"}, {100_000, "100k"}}

func controlWorks() []work {
	mine := []string{ours}
	return []work{
		{
			name: "submit", family: controlFamily, by: mine,
			how: "The loop of the one-shot lines, by `Submit` for a key that nobody uses, and by `Start` of a supervisor, in turn in one process.",
			lines: []line{
				{figure: "submit", title: "submit to an idle slot, run, await the outcome, sequential", unit: "ns", targets: []target{timesLine(2, "submit", "start", "`Start`")}},
				{figure: "start", title: "the same by `Start`, without a key", unit: "ns"},
				{figure: "submit-allocs", title: "submit to an idle slot, run, await the outcome", unit: "allocs"},
				{figure: "start-allocs", title: "the same by `Start`, without a key", unit: "allocs"},
			},
			measure: measureSubmit,
		},
		{
			name: "decisions", family: controlFamily, by: mine,
			how: "Bursts of 1,000 submissions for a key whose only place is taken, with 100 that wait for it already, or 100k; the time of `Submit` alone. " +
				"What a burst has queued is withdrawn before the next. The owner does not heed its order to end, so that every Replace but the first supersedes the one before. " +
				"Both lengths in turn in one process, each with a controller of its own, and never both at a time, for collections take longer with more to look at.",
			lines:   decisionLines(),
			measure: measureDecisions,
		},
		{
			name: "keys", family: controlFamily, by: mine,
			how: "64 goroutines together submit 100k tasks that do nothing, each for a random key among n, and await each outcome before the next; or, for the lines that say so, " +
				"submit all before they await any, so that tens of thousands wait for their key or for a processor. Per task. The others do so by `Start`, " +
				"without keys. All in turn in one process, with a collection before each. Nothing bounds the queues.",
			lines:   keysLines(),
			measure: measureKeys,
		},
		{
			name: "cancel", family: controlFamily, by: mine,
			how: "`Cancel` of 32 submissions of a queue, the oldest or such at random places, which are made up for by as many new ones before the next 32: in a queue of 100, in one of 100k, " +
				"and in 1,000 queues of 100, which shows what it costs alone that so many do not fit into the caches. In turn in one process, never two at a time.",
			lines: []line{
				{figure: "shallow", title: "cancel a queued submission, 100 queued", unit: "ns"},
				{figure: "deep", title: "the same with 100k queued, in the order of submission", unit: "ns", targets: []target{timesLine(2, "cancel", "shallow", "with 100")}},
				{figure: "random", title: "the same with 100k queued, at random", unit: "ns", targets: []target{timesLine(2, "cancel", "shallow", "with 100")}},
				{figure: "wide", title: "the same with 100k queued, for 1,000 keys, at random", unit: "ns"},
			},
			measure: measureCancels,
		},
		{
			name: "hand-over", family: controlFamily, by: mine,
			how: "1,000 submissions that do nothing wait for one key. Time from the end of the owner before them to the outcome of the last, per task. Go gives a new goroutine " +
				"as much stack as those that there are use on average: among 1,000 goroutines that only wait it is the least there is.",
			lines: []line{
				{figure: "alone", title: "hand-over: an owner ends, the next runs and ends", unit: "ns"},
				{figure: "crowded", title: "the same among 1,000 idle goroutines", unit: "ns"},
				{figure: "allocs", title: "one hand-over", unit: "allocs"},
			},
			measure: measureHandOver,
		},
	}
}

func decisionLines() []line {
	var lines []line
	for _, a := range []struct {
		admission controller.Admission
		title     string
	}{{controller.Queue, "Queue"}, {controller.Replace, "Replace"}, {controller.DropIfRunning, "DropIfRunning"}} {
		base, title := a.admission.String(), "submit with "+a.title+" to a busy slot, "
		lines = append(
			lines,
			line{figure: base + "-100", title: title + "100 queued", unit: "µs", targets: []target{atMost(1)}},
			line{
				figure: base + "-100k", title: title + "100k queued", unit: "µs",
				targets: []target{atMost(1), timesLine(2, "decisions", base+"-100", "with 100")},
			},
		)
	}
	return lines
}

func keysLines() []line {
	lines := []line{{figure: "start", title: "100k one-shot tasks from 64 goroutines by `Start`, without keys", unit: "ns"}}
	for _, t := range throughputs {
		targets := []target{timesLine(1/0.6, "keys", "start", "`Start`")}
		if t.name != "10k" { // flat, whatever the number
			targets = append(targets, timesLine(1.3, "keys", "10k", "over 10k keys"))
		}
		lines = append(lines, line{figure: t.name, title: "100k submissions over " + t.name + " keys", unit: "ns", targets: targets})
	}
	return append(lines,
		line{figure: "start-all", title: "100k by `Start`, all before any is awaited", unit: "ns"},
		line{figure: "10k-all", title: "100k over 10k keys, all before any is awaited", unit: "ns", targets: []target{timesLine(1/0.6, "keys", "start-all", "`Start`")}},
	)
}

// controlled is a controller that runs.
type controlled struct {
	*controller.Controller
	cancel context.CancelFunc
	ended  chan error
}

// control runs a controller and returns when it admits tasks.
func control(cfg controller.Config) (*controlled, error) {
	ctx, cancel := context.WithCancel(context.Background())
	c := &controlled{Controller: controller.New(cfg), cancel: cancel, ended: make(chan error, 1)}
	go func() { c.ended <- c.Run(ctx) }()
	return c, c.WaitReady(ctx)
}

// boundless runs a controller that lets any number wait.
func boundless() (*controlled, error) {
	return control(controller.Config{Name: "app", Depth: policy.Unlimited, Capacity: policy.Unlimited})
}

func (c *controlled) shot(name string) error {
	h, err := c.Submit(context.Background(), oneShot(name, ""))
	if err != nil {
		return err
	}
	return awaitShot(h)
}

func (c *controlled) stop() error {
	c.cancel()
	return <-c.ended
}

// oneShot is a submission of a task that does nothing. Without a key it is for its name.
func oneShot(name, key string) controller.Submission {
	return controller.Submission{Spec: actor.Spec{Name: name, Task: doNothing, Restart: policy.Never}, Key: key}
}

// occupy gives a key an owner that goes when it is released, and not when it is told to.
func (c *controlled) occupy(key string) (release func() error, err error) {
	entered, leave := make(chan struct{}), make(chan struct{})
	h, err := c.Submit(context.Background(), controller.Submission{
		Key: key,
		Spec: actor.Spec{
			Name: "owner-" + key, Restart: policy.Never, Grace: policy.Forever,
			Task: actor.Func(func(context.Context) error {
				close(entered)
				<-leave
				return nil
			}),
		},
	})
	if err != nil {
		return nil, err
	}
	<-entered
	return func() error {
		close(leave)
		_, err := h.Wait(context.Background())
		return err
	}, nil
}

// submitted submits the same n times, and appends the identities to ids.
func (c *controlled) submitted(ids []events.ID, n int, sub controller.Submission) ([]events.ID, error) {
	for range n {
		h, err := c.Submit(context.Background(), sub)
		if err != nil {
			return ids, err
		}
		ids = append(ids, h.ID())
	}
	return ids, nil
}

// withdraw cancels submissions that wait.
func (c *controlled) withdraw(ids []events.ID) error {
	for _, id := range ids {
		if err := c.Cancel(context.Background(), id); err != nil {
			return err
		}
	}
	return nil
}

func measureSubmit(_ peer, size scale) (figures, error) {
	s, err := supervise(supervisor.Config{Name: "app"})
	if err != nil {
		return nil, err
	}
	c, err := control(controller.Config{Name: "app"})
	if err != nil {
		return nil, err
	}
	const turns = 10
	way := func(figure string, shot func(string) error) way {
		return func() (figures, error) {
			before, begin := mallocs(), time.Now()
			n, err := shots(shot, "job", begin.Add(size.spell/turns))
			took := time.Since(begin)
			return figures{
				figure:             float64(took.Nanoseconds()) / float64(n),
				figure + "-allocs": whole(mallocs()-before, int(n)),
			}, err
		}
	}
	got, err := inTurn(turns, way("submit", c.shot), way("start", s.shot))
	if err != nil {
		return nil, err
	}
	if err := c.stop(); err != nil {
		return nil, err
	}
	return got, s.stop()
}

func measureDecisions(_ peer, size scale) (figures, error) {
	const turns = 4
	size.spell /= turns
	return inTurn(
		turns,
		func() (figures, error) { return decisions(size, shallow, "-100") },
		func() (figures, error) { return decisions(size, size.many, "-100k") },
	)
}

// decisions measures all three admissions while so many wait.
func decisions(size scale, depth int, suffix string) (figures, error) {
	c, err := boundless()
	if err != nil {
		return nil, err
	}
	release, err := c.occupy("slot")
	if err != nil {
		return nil, err
	}
	sub := oneShot("job", "slot")
	if _, err := c.submitted(nil, depth, sub); err != nil {
		return nil, err
	}
	got := figures{}
	ids := make([]events.ID, 0, burst)
	for a := controller.Queue; a <= controller.DropIfRunning; a++ {
		sub.Admission = a
		took, err := timed(size.spell, burst, func() (time.Duration, error) {
			begin := time.Now()
			ids, err = c.submitted(ids[:0], burst, sub)
			took := time.Since(begin)
			if err == nil && a == controller.Queue {
				err = c.withdraw(ids)
			}
			return took, err
		})
		if err != nil {
			return nil, err
		}
		got[a.String()+suffix] = micros(took)
	}
	return got, c.leave(release, depth)
}

// leave stops a controller for which an owner has waited for its release, and so many
// submissions for the owner.
func (c *controlled) leave(release func() error, waiting int) error {
	if n := c.Purge("slot"); n != waiting {
		return fmt.Errorf("%d submissions waited at the end, not %d", n, waiting)
	}
	if err := release(); err != nil {
		return err
	}
	return c.stop()
}

func measureKeys(_ peer, size scale) (figures, error) {
	names := make([]string, size.many)
	for i := range names {
		names[i] = "job-" + strconv.Itoa(i)
	}
	start := func(figure string, f flood) way {
		return func() (figures, error) {
			s, err := supervise(supervisor.Config{Name: "app"})
			if err != nil {
				return nil, err
			}
			took, err := f(size.many, func(i int) (*actor.Handle, error) {
				return s.Start(context.Background(), actor.Spec{Name: names[i], Task: doNothing, Restart: policy.Never})
			})
			if err != nil {
				return nil, err
			}
			return figures{figure: took}, s.stop()
		}
	}
	ways := []way{start("start", oneByOne), start("start-all", atOnce)}
	random := rand.New(rand.NewPCG(1, 2))
	for _, t := range throughputs {
		keys := make([]string, size.many)
		for i := range keys {
			keys[i] = "key-" + strconv.Itoa(random.IntN(min(t.keys, size.many)))
		}
		submit := func(figure string, f flood) way {
			return func() (figures, error) {
				c, err := boundless()
				if err != nil {
					return nil, err
				}
				took, err := f(size.many, func(i int) (*actor.Handle, error) {
					return c.Submit(context.Background(), oneShot(names[i], keys[i]))
				})
				if err != nil {
					return nil, err
				}
				return figures{figure: took}, c.stop()
			}
		}
		ways = append(ways, submit(t.name, oneByOne))
		if t.name == "10k" {
			ways = append(ways, submit("10k-all", atOnce))
		}
	}
	const turns = 3
	return inTurn(turns, ways...)
}

// flood has n tasks made by many goroutines, which await them, and returns the nanoseconds
// for each task.
type flood func(n int, submit func(i int) (*actor.Handle, error)) (float64, error)

// oneByOne awaits each task before it makes the next.
func oneByOne(n int, submit func(i int) (*actor.Handle, error)) (float64, error) {
	return pour(n, 1, submit)
}

// atOnce makes all tasks before it awaits the first.
func atOnce(n int, submit func(i int) (*actor.Handle, error)) (float64, error) {
	return pour(n, n, submit)
}

// pour awaits the tasks of each goroutine whenever there are so many.
func pour(n, many int, submit func(i int) (*actor.Handle, error)) (float64, error) {
	var wg sync.WaitGroup
	failed := make(chan error, submitters)
	begin := time.Now()
	for g := range submitters {
		wg.Go(func() {
			handles := make([]*actor.Handle, 0, n/submitters+1)
			for i := g; i < n; i += submitters {
				h, err := submit(i)
				if err != nil {
					failed <- err
					return
				}
				handles = append(handles, h)
				if len(handles) < many && i+submitters < n {
					continue
				}
				for _, h := range handles {
					if err := awaitShot(h); err != nil {
						failed <- err
						return
					}
				}
				handles = handles[:0]
			}
		})
	}
	wg.Wait()
	took := time.Since(begin)
	select {
	case err := <-failed:
		return 0, err
	default:
		return float64(took.Nanoseconds()) / float64(n), nil
	}
}

func measureCancels(_ peer, size scale) (figures, error) {
	const turns = 6
	size.spell /= turns
	return inTurn(
		turns,
		func() (figures, error) { return cancels(size, "shallow", shallow, 1, anywhere) },
		func() (figures, error) { return cancels(size, "deep", size.many, 1, oldest()) },
		func() (figures, error) { return cancels(size, "random", size.many, 1, anywhere) },
		func() (figures, error) { return cancels(size, "wide", size.many, size.many/shallow, anywhere) },
	)
}

// picks says which of n submissions are cancelled next.
type picks func(n int) [handful]int

// anywhere picks at random, none twice.
func anywhere(n int) (at [handful]int) {
	taken := map[int]bool{}
	for i := range at {
		for at[i] = rand.IntN(n); taken[at[i]]; at[i] = rand.IntN(n) {
		}
		taken[at[i]] = true
	}
	return at
}

// oldest picks those that have waited for longest, if new ones take the places of the old.
func oldest() picks {
	next := 0
	return func(n int) (at [handful]int) {
		for i := range at {
			at[i] = next % n
			next++
		}
		return at
	}
}

// cancels measures what it costs to cancel one of so many that wait for so many keys.
func cancels(size scale, figure string, waiting, keys int, pick picks) (figures, error) {
	c, err := boundless()
	if err != nil {
		return nil, err
	}
	// The queues grow side by side, as they do when submissions come in any order.
	releases := make([]func() error, keys)
	subs := make([]controller.Submission, keys)
	for k := range keys {
		key := strconv.Itoa(k)
		subs[k] = oneShot("job", key)
		if releases[k], err = c.occupy(key); err != nil {
			return nil, err
		}
	}
	ids := make([]events.ID, 0, waiting)
	for i := range waiting {
		if ids, err = c.submitted(ids, 1, subs[i%keys]); err != nil {
			return nil, err
		}
	}
	took, err := timed(size.spell, handful, func() (time.Duration, error) {
		return c.cancelSome(ids, subs, pick(len(ids)))
	})
	if err != nil {
		return nil, err
	}
	for k := range keys {
		c.Purge(subs[k].Key)
		if err := releases[k](); err != nil {
			return nil, err
		}
	}
	return figures{figure: took}, c.stop()
}

// handful is how many submissions are cancelled between two looks at the clock.
const handful = 32

// cancelSome cancels some of ids, puts new ones in their place, and returns how long the
// cancelling took.
func (c *controlled) cancelSome(ids []events.ID, subs []controller.Submission, at [handful]int) (time.Duration, error) {
	var some [handful]events.ID
	for i, j := range at {
		some[i] = ids[j]
	}
	begin := time.Now()
	err := c.withdraw(some[:])
	took := time.Since(begin)
	if err != nil {
		return 0, err
	}
	for _, j := range at {
		if _, err := c.submitted(ids[j:j], 1, subs[rand.IntN(len(subs))]); err != nil {
			return 0, err
		}
	}
	return took, nil
}

func measureHandOver(_ peer, size scale) (figures, error) {
	const turns = 4
	size.spell /= turns
	return inTurn(
		turns,
		func() (figures, error) { return handOver(size, "alone") },
		func() (figures, error) {
			idle, quit := sync.WaitGroup{}, make(chan struct{})
			for range 1000 {
				idle.Go(func() { <-quit })
			}
			runtime.GC() // it is then that Go counts
			f, err := handOver(size, "crowded")
			close(quit)
			idle.Wait()
			return f, err
		},
	)
}

func handOver(size scale, figure string) (figures, error) {
	c, err := boundless()
	if err != nil {
		return nil, err
	}
	sub := oneShot("job", "slot")
	var allocs, drained uint64
	took, err := timed(size.spell, burst, func() (time.Duration, error) {
		release, err := c.occupy("slot")
		if err != nil {
			return 0, err
		}
		if _, err := c.submitted(nil, burst-1, sub); err != nil {
			return 0, err
		}
		last, err := c.Submit(context.Background(), sub)
		if err != nil {
			return 0, err
		}
		before, begin := mallocs(), time.Now()
		if err := release(); err != nil {
			return 0, err
		}
		err = awaitShot(last)
		took := time.Since(begin)
		allocs += mallocs() - before
		drained += burst
		return took, err
	})
	if err != nil {
		return nil, err
	}
	return figures{figure: took, "allocs": whole(allocs, int(drained))}, c.stop()
}
