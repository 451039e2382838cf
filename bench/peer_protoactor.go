package main

import (
	"log/slog"
	"math"

	"github.com/asynkron/protoactor-go/actor"
)

const protoConfig = "An actor that supervises its children, which it spawns itself, all in one message. Its children are actors, not goroutines: " +
	"entered means that `Started` is handled, waiting that the mailbox is empty, and then no goroutine exists. The only failure of an actor is a panic. " +
	"Restarts are by `RestartingSupervisorStrategy`, which keeps no statistics; a group is restarted by an all-for-one strategy without limits, which does " +
	"not wait until the others have stopped before the first is entered again. A one-shot actor stops itself and says so when it handles `Stopped`. Nothing is logged."

// What the supervising actor is told. Each is answered by err, when it is done.
type (
	spawnIdle struct {
		n       int
		entered func()
		err     chan error
	}
	spawnOne struct {
		producer actor.Producer
		pid      chan *actor.PID
	}
	spawnShot struct{ done chan struct{} }
)

// protoFamily is an actor that supervises, seen from outside.
type protoFamily struct {
	system *actor.ActorSystem
	pid    *actor.PID
	ended  chan struct{}
}

func openProto(together bool) (family, error) {
	system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(slog.DiscardHandler)
	}))
	strategy := actor.RestartingSupervisorStrategy()
	if together {
		strategy = actor.NewAllForOneStrategy(math.MaxInt, 0, actor.DefaultDecider)
	}
	f := &protoFamily{system: system, ended: make(chan struct{})}
	f.pid = system.Root.Spawn(actor.PropsFromFunc(f.receive, actor.WithSupervisor(strategy)))
	return f, nil
}

// receive is the supervising actor.
func (f *protoFamily) receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *spawnIdle:
		props := actor.PropsFromProducer(func() actor.Actor { return &idleActor{entered: m.entered} })
		for range m.n {
			ctx.Spawn(props)
		}
		m.err <- nil
	case *spawnOne:
		m.pid <- ctx.Spawn(actor.PropsFromProducer(m.producer))
	case *spawnShot:
		ctx.Spawn(actor.PropsFromProducer(func() actor.Actor { return (*shotActor)(m) }))
	case *actor.Stopped:
		close(f.ended)
	}
}

func (f *protoFamily) idle(n int, entered func()) error {
	m := &spawnIdle{n: n, entered: entered, err: make(chan error, 1)}
	f.system.Root.Send(f.pid, m)
	return <-m.err
}

func (f *protoFamily) failing(entered func() bool) error {
	m := &spawnOne{producer: func() actor.Actor { return &failingActor{entered: entered} }, pid: make(chan *actor.PID, 1)}
	f.system.Root.Send(f.pid, m)
	<-m.pid
	return nil
}

func (f *protoFamily) victim(entered, leaving func()) (fail func(), err error) {
	m := &spawnOne{
		producer: func() actor.Actor { return &victimActor{entered: entered, leaving: leaving} },
		pid:      make(chan *actor.PID, 1),
	}
	f.system.Root.Send(f.pid, m)
	pid := <-m.pid
	return func() { f.system.Root.Send(pid, failNow{}) }, nil
}

func (f *protoFamily) shot(string) error {
	m := &spawnShot{done: make(chan struct{})}
	f.system.Root.Send(f.pid, m)
	<-m.done
	return nil
}

func (f *protoFamily) stop() error {
	f.system.Root.Stop(f.pid)
	<-f.ended
	f.system.Shutdown()
	return nil
}

type idleActor struct{ entered func() }

func (a *idleActor) Receive(ctx actor.Context) {
	if _, ok := ctx.Message().(*actor.Started); ok {
		a.entered()
	}
}

type failingActor struct{ entered func() bool }

func (a *failingActor) Receive(ctx actor.Context) {
	if _, ok := ctx.Message().(*actor.Started); ok && a.entered() {
		panic(errBench)
	}
}

// failNow orders a victim to fail.
type failNow struct{}

type victimActor struct{ entered, leaving func() }

func (a *victimActor) Receive(ctx actor.Context) {
	switch ctx.Message().(type) {
	case *actor.Started:
		a.entered()
	case failNow:
		a.leaving()
		panic(errBench)
	}
}

type shotActor spawnShot

func (a *shotActor) Receive(ctx actor.Context) {
	switch ctx.Message().(type) {
	case *actor.Started:
		ctx.Stop(ctx.Self())
	case *actor.Stopped:
		close(a.done)
	}
}
