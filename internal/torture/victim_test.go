//go:build unix

package torture

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/boltstore"
	"github.com/taskvisor/taskvisor/supervisor"
)

// victim is the process that is killed. It tells what it is about to do before it does it, and
// what has come of it afterwards, and remembers nothing from one life to the next.
type victim struct {
	storyteller
	life
	born time.Time
	q    *persist.Queue
	ctx  context.Context // of what it does, see act
	rest chan struct{}   // closed when it is to do what is left, and nothing more

	mu         sync.Mutex
	rand       *rand.Rand
	next       int64
	snoozed    map[int64]int
	known      []persist.ID // some that were acknowledged lately
	dead       []persist.ID // some that can be revived
	cancelling map[persist.ID]bool
	half       map[persist.ID]bool // cancelled, which one of two has told
	armed      chan struct{}       // closed when jobs may kill
}

// liveAndDie is the main function of a victim.
func liveAndDie(text string) {
	v := &victim{born: time.Now(), snoozed: map[int64]int{}, cancelling: map[persist.ID]bool{}, half: map[persist.ID]bool{}, armed: make(chan struct{}), rest: make(chan struct{})}
	must(json.Unmarshal([]byte(text), &v.life))
	v.out = os.NewFile(3, "story")
	v.rand = rand.New(rand.NewPCG(v.Seed, uint64(v.Number)))
	v.next = int64(v.Number)<<24 + 1
	v.tell("born")

	// The witness writes something when it wants no more to be submitted, and closes the
	// standard input when it wants this to end in order.
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		if n, _ := os.Stdin.Read(make([]byte, 1)); n > 0 {
			close(v.rest)
		}
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()

	opts := boltstore.Options{NoSync: v.NoSync, CheckOnOpen: v.Check, InlinePayload: v.Inline, LockTimeout: 20 * time.Second}
	if v.Compact {
		if err := boltstore.Compact(ctx, v.Path, opts); err != nil && !errors.Is(err, fs.ErrNotExist) && ctx.Err() == nil {
			v.tell("fault compact: %v", err)
		}
		v.tell("compacted")
	}
	v.q = persist.New(v.config(opts))
	ended := make(chan error, 1)
	go func() { ended <- v.q.Run(ctx) }()
	if err := v.q.WaitReady(ctx); err == nil {
		v.tell("ready")
		v.act(ctx)
	}
	if err := <-ended; err != nil {
		v.tell("fault run: %v", err)
	}
	v.tell("bye")
}

func (v *victim) config(opts boltstore.Options) persist.Config {
	c := persist.Config{
		Store: boltstore.File(v.Path, opts), Workers: v.Workers, GroupLimits: groupLimits, Drain: v.Drain, RelaxedDelay: v.Relaxed,
		History: v.History, DeadLetters: v.Dead, Crashes: v.Crashes, Defaults: []persist.Option{persist.WithBackoff(pause)},
		Supervisor: supervisor.Config{Subscribers: []events.Subscriber{{
			Name: "story", Handler: events.HandlerFunc(v.hear), Queue: events.MaxQueue,
			Kinds: []events.Kind{
				events.JobCompleted, events.JobFailed, events.JobDeadLettered, events.JobCancelled, events.JobSuperseded, events.JobExpired,
				events.JobRetryScheduled, events.StoreFailed,
			},
		}}},
	}
	for _, t := range types {
		c.Handlers = append(c.Handlers, t.Handle(v.handle))
	}
	return c
}

// hear tells of what was committed.
func (v *victim) hear(e events.Event) {
	kind := map[events.Kind]persist.Ending{
		events.JobCompleted: persist.Completed, events.JobFailed: persist.Failed, events.JobDeadLettered: persist.DeadLetter,
		events.JobCancelled: persist.Cancelled, events.JobSuperseded: persist.Superseded, events.JobExpired: persist.Expired,
	}[e.Kind]
	switch {
	case kind != 0:
		id := persist.ID(e.Job.ID)
		v.tell("end %d %v", id, kind)
		v.mu.Lock()
		if (kind == persist.DeadLetter || kind == persist.Failed) && !v.cancelling[id] {
			v.dead = append(v.dead, id) // after it was told
		}
		if kind == persist.Cancelled {
			v.toldCancelled(id)
		}
		v.mu.Unlock()
	case e.Kind == events.JobRetryScheduled:
		v.tell("again %d %d", e.Job.ID, e.Job.Attempt)
	case e.Kind == events.StoreFailed:
		v.tell("fault store: %v", e.Err)
	}
}

// handle is what all jobs do.
func (v *victim) handle(ctx context.Context, in padded) error {
	a, _ := persist.FromContext(ctx)
	id, number := a.Job().ID, a.Number()
	early := time.Until(time.Unix(0, in.NotBefore)) > 2*time.Millisecond
	v.tell("in %d %d %d %t", id, in.N, number, early)
	out := func(how string) { v.tell("out %d %d %d %s", id, in.N, number, how) }
	if in.Filler != filler(in.Pad) || in.Type != a.Job().Type {
		v.tell("fault job %d: its payload is not what was submitted", id)
	}

	if in.Fate == kills && v.Mode == doom {
		<-v.armed
		if in.N%2 == 0 {
			os.Exit(3)
		}
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	if in.Work > 0 {
		select {
		case <-time.After(in.Work):
		case <-ctx.Done():
			out("stop")
			return context.Cause(ctx)
		}
	}
	if v.snoozes(in.task) {
		out("snooze")
		return persist.Snooze(time.Duration(in.N%4) * time.Millisecond)
	}
	if number > in.Fails {
		out("ok")
		return nil
	}
	if in.Fate == hangs {
		<-ctx.Done()
	}
	out(in.Fate)
	switch in.Fate {
	case panics:
		panic("as planned")
	case exits:
		runtime.Goexit()
	case fatal:
		return actor.Fatal(errPlanned)
	case cancels:
		return persist.Cancel(errPlanned)
	}
	return errPlanned
}

func (v *victim) snoozes(t task) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.snoozed[t.N]++
	return v.snoozed[t.N] <= t.Snoozes
}

func (v *victim) act(ctx context.Context) {
	var wg sync.WaitGroup
	v.ctx = ctx
	switch v.Mode {
	case load:
		var enough context.CancelFunc
		v.ctx, enough = context.WithCancel(ctx)
		go func() {
			select {
			case <-v.rest:
			case <-ctx.Done():
			}
			enough()
		}()
		v.learnDead(ctx)
		for range 4 {
			wg.Go(v.submitMany)
		}
		wg.Go(v.submitBatches)
		wg.Go(v.cancelSome)
		wg.Go(v.reviveSome)
	case drain:
		wg.Go(v.runDry)
	case doom:
		if v.Number == 0 {
			v.submitDoom()
		}
		close(v.armed)
		wg.Go(v.runDry)
	}
	wg.Wait()
	if v.Mode == load && ctx.Err() == nil {
		v.ctx = ctx
		v.runDry()
	}
}

// learnDead looks for what can be revived since an earlier life. Meanwhile events tell of the
// others.
func (v *victim) learnDead(ctx context.Context) {
	list, err := v.q.DeadLetters(ctx, 0, 0)
	if err != nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, j := range list {
		if j.End.At.Before(v.born) {
			v.dead = append(v.dead, j.ID)
		}
	}
}

// chance returns true once in n calls.
func (v *victim) chance(n int) bool { return v.pick(n) == 0 }

func (v *victim) pick(n int) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.rand.IntN(n)
}

// wait returns false when the load is over.
func (v *victim) wait(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-v.ctx.Done():
		return false
	}
}

// mayGoOn waits while there is much to do already.
func (v *victim) mayGoOn() bool {
	for v.ctx.Err() == nil {
		n := 0
		for p, c := range v.q.Counts() {
			if p != persist.Ended {
				n += c
			}
		}
		if n < 150 {
			return true
		}
		if !v.wait(2 * time.Millisecond) {
			return false
		}
	}
	return false
}

// dream thinks of a task.
func (v *victim) dream() task {
	v.mu.Lock()
	defer v.mu.Unlock()
	r := v.rand
	oneOf := func(s ...string) string { return s[r.IntN(len(s))] }
	t := task{
		N: v.next, Type: oneOf("plain", "keyed", "keyed", "other", "soft", "softkeyed", "narrow/plain", "narrow/keyed"),
		Group: oneOf("", "", "one", "two", "three"), Retries: r.IntN(4), Priority: uint8(r.IntN(256)),
		Work: time.Duration(r.IntN(3)*r.IntN(1500)) * time.Microsecond,
	}
	v.next++
	switch t.Type {
	case "keyed", "narrow/keyed", "softkeyed":
		t.Key = fmt.Sprint("key", r.IntN(6))
		t.Strategy = oneOf("skip", "skip", "supersede", "reject")
	}
	t.Soft = t.Type == "soft" || t.Type == "softkeyed"
	switch r.IntN(12) {
	case 0, 1:
		t.Fate, t.Fails = oneOf(fails, panics, exits), r.IntN(t.Retries+1)
	case 2, 3:
		t.Fate, t.Fails = oneOf(fails, panics, exits), t.Retries+1
	case 4:
		t.Fate, t.Fails = oneOf(fatal, cancels), 1
	case 5:
		t.Fate, t.Fails, t.Work = hangs, r.IntN(t.Retries+2), 0
	}
	switch r.IntN(8) {
	case 0:
		t.NotBefore = time.Now().Add(time.Duration(r.IntN(150)) * time.Millisecond).UnixNano()
	case 1:
		if t.Fate != hangs { // who has a timeout may want to be put off too late
			t.Snoozes = 1 + r.IntN(2)
		}
	case 2:
		t.TTL = time.Duration(1+r.IntN(60)) * time.Millisecond
	case 3:
		t.Pad = r.IntN(20_000)
	}
	if v.Heavy && r.IntN(3) == 0 {
		t.Pad = 900 << 10
	}
	return t
}

func (v *victim) tellTask(t task) {
	text, err := json.Marshal(t)
	must(err)
	v.tell("sub %s", text)
}

// refused tells why there is no result.
func (v *victim) refused(n int64, err error) {
	what := "no"
	if errors.Is(err, persist.ErrUnknown) {
		what = "unknown"
	}
	v.tell("nak %d %s %v", n, what, err)
}

// answered tells a result, and has somebody wait for the end.
func (v *victim) answered(n int64, r persist.Result) {
	v.tell("ack %d %v %d %d", n, r.Kind, r.ID, r.Other)
	if !r.New() {
		return
	}
	v.mu.Lock()
	v.known = append(v.known, r.ID)
	if len(v.known) > 40 {
		v.known = v.known[20:]
	}
	v.mu.Unlock()
	if v.chance(3) {
		go v.await(v.ctx, r.ID)
	}
}

func (v *victim) await(ctx context.Context, id persist.ID) {
	j, err := v.q.Await(ctx, id)
	switch {
	case err == nil && !j.Ended():
		v.tell("fault job %d: Await has returned it, and it has not ended: %+v", id, j.State)
	case err == nil:
		v.tell("done %d %v", id, j.End.Kind)
	case !errors.Is(err, persist.ErrPruned) && !errors.Is(err, persist.ErrClosing) && ctx.Err() == nil:
		v.tell("fault job %d: await: %v", id, err)
	}
}

func (v *victim) submitMany() {
	for v.mayGoOn() {
		t := v.dream()
		ctx, cancel := v.ctx, func() {}
		if v.chance(20) {
			ctx, cancel = context.WithTimeout(v.ctx, time.Duration(v.pick(3000))*time.Microsecond)
		}
		v.tellTask(t)
		r, err := v.q.Submit(ctx, t.submission())
		cancel()
		if err != nil {
			v.refused(t.N, err)
		} else {
			v.answered(t.N, r)
		}
		if v.chance(4) {
			v.wait(time.Duration(v.pick(4000)) * time.Microsecond)
		}
	}
}

// submitBatches submits tasks that only have to run, so that all or none of them do.
func (v *victim) submitBatches() {
	for v.mayGoOn() && v.wait(time.Duration(v.pick(20))*time.Millisecond) {
		var ts []task
		var subs []persist.Submission
		for range 2 + v.pick(8) {
			t := v.dream()
			ts = append(ts, task{N: t.N, Type: "other", Batch: t.N, Group: t.Group, Work: t.Work, Priority: t.Priority, Pad: t.Pad})
		}
		for i := range ts {
			ts[i].Batch = ts[0].N
			v.tellTask(ts[i])
			subs = append(subs, ts[i].submission())
		}
		results, err := v.q.SubmitAll(v.ctx, subs)
		for i, t := range ts {
			if err != nil {
				v.refused(t.N, err)
			} else {
				v.answered(t.N, results[i])
			}
		}
	}
}

func (v *victim) cancelSome() {
	for v.wait(time.Duration(v.pick(4000)) * time.Microsecond) {
		v.mu.Lock()
		if len(v.known) == 0 {
			v.mu.Unlock()
			continue
		}
		id := v.known[v.rand.IntN(len(v.known))]
		twice := v.cancelling[id]
		v.cancelling[id] = true
		v.mu.Unlock()
		if !twice {
			go v.cancel(v.ctx, id)
		}
	}
}

func (v *victim) cancel(ctx context.Context, id persist.ID) {
	v.tell("cancel %d", id)
	err := v.q.Cancel(ctx, id)
	if err != nil {
		v.tell("uncancelled %d %v", id, err)
	} else {
		v.tell("cancelled %d", id)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.cancelling, id)
	if err == nil {
		v.toldCancelled(id)
	}
}

// toldCancelled has a job revived when both have told, the event and who has asked for it.
func (v *victim) toldCancelled(id persist.ID) {
	if v.half[id] {
		v.dead = append(v.dead, id)
	}
	v.half[id] = !v.half[id]
}

// reviveSome revives jobs whose end was told. Sometimes two do it to one.
func (v *victim) reviveSome() {
	for v.wait(time.Duration(v.pick(6000)) * time.Microsecond) {
		v.mu.Lock()
		if len(v.dead) == 0 {
			v.mu.Unlock()
			continue
		}
		i := v.rand.IntN(len(v.dead))
		id := v.dead[i]
		v.dead = slices.Delete(v.dead, i, i+1)
		if v.cancelling[id] {
			v.mu.Unlock()
			continue
		}
		v.mu.Unlock()
		n := 1 + v.pick(3)/2
		for range n {
			v.tell("revive %d", id)
		}
		for range n {
			go v.revive(v.ctx, id)
		}
	}
}

func (v *victim) revive(ctx context.Context, id persist.ID) {
	switch err := v.q.Revive(ctx, id); {
	case err == nil:
		v.tell("revived %d", id)
	case errors.Is(err, persist.ErrUnknown):
		v.tell("maybe %d %v", id, err)
	default:
		v.tell("unrevived %d %v", id, err)
	}
}

// submitDoom submits jobs that kill the process, among others that do not.
func (v *victim) submitDoom() {
	var ts []task
	var subs []persist.Submission
	for i := range 60 {
		t := v.dream()
		t = task{N: t.N, Type: "other", Group: t.Group, Work: t.Work, Priority: t.Priority, Batch: v.next}
		if i%20 == 10 && i/20 < v.Poisons {
			t.Fate, t.Priority, t.Group = kills, 0, ""
		}
		ts = append(ts, t)
	}
	for i := range ts {
		ts[i].Batch = ts[0].N
		v.tellTask(ts[i])
		subs = append(subs, ts[i].submission())
	}
	results, err := v.q.SubmitAll(v.ctx, subs)
	if err != nil {
		v.tell("fault doom: %v", err)
	}
	for i, t := range ts {
		v.tell("ack %d %v %d %d", t.N, results[i].Kind, results[i].ID, results[i].Other)
	}
}

// runDry says when nothing is left to do, or what is.
func (v *victim) runDry() {
	began, told := time.Now(), false
	for v.wait(5 * time.Millisecond) {
		n := v.q.Counts()
		left := n[persist.Delayed] + n[persist.Ready] + n[persist.Running]
		switch {
		case left > 0, n[persist.Parked] == 0 && n[persist.Blocked] > 0:
		case n[persist.Parked] == 0:
			v.tell("dry")
			return
		case v.Mode == doom:
			v.tellParked(func(persist.ID) {})
			v.tell("quiet")
			return
		default:
			v.tellParked(func(id persist.ID) {
				v.tell("release %d", id)
				if err := v.q.Release(v.ctx, id); err != nil {
					v.tell("fault job %d: %v", id, err)
				}
			})
		}
		if !told && time.Since(began) > dryWithin {
			told = true
			v.tellLeft()
		}
	}
}

// dryWithin is how long a victim may take to do all that is left.
const dryWithin = 30 * time.Second

func (v *victim) tellParked(do func(persist.ID)) {
	v.each(func(j *persist.Job) {
		if j.Parked != "" {
			v.tell("parked %d %d", j.ID, j.Crashes)
			do(j.ID)
		}
	})
}

// tellLeft says what is left, and what all goroutines do.
func (v *victim) tellLeft() {
	_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 2)
	v.each(func(j *persist.Job) {
		w, err := v.q.Why(v.ctx, j.ID)
		v.tell("stuck %d %v %v (%v)", j.ID, w.Phase, w, err)
	})
	v.tell("late %v", v.q.Counts())
}

// each calls f for all that have not ended.
func (v *victim) each(f func(*persist.Job)) {
	for id := persist.ID(1); ; id++ {
		switch j, err := v.q.Job(v.ctx, id); {
		case errors.Is(err, persist.ErrNotFound), v.ctx.Err() != nil:
			return
		case err == nil && !j.Ended():
			f(j)
		}
	}
}
