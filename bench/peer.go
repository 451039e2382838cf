package main

import (
	"context"
	"errors"
)

// The competitors, in the order of the columns.
const (
	bare       = "bare"
	ours       = "taskvisor"
	suturePeer = "suture"
	protoPeer  = "protoactor"
	errgroupOf = "errgroup"
	otp        = "otp"
	// channels is a competitor of the bus only: a buffered channel per subscriber.
	channels = "channels"
)

// A peer is one competitor.
type peer struct {
	name string
	// config says how it is set up, for the document.
	config string
	// open starts an empty family, whose children are restarted together if that is
	// asked for. It is nil where a competitor is not made of families.
	open func(together bool) (family, error)
	// queue opens a durable queue. It is nil where a competitor is none.
	queue opening
	// there reports whether what it needs is there. Nil means that it needs nothing.
	there func() bool
}

var peers = []peer{
	{name: bare, config: bareConfig, open: openBare},
	{name: ours, config: taskvisorConfig + " " + queueConfig, open: openTaskvisor, queue: openOurs},
	{name: suturePeer, config: sutureConfig, open: openSuture},
	{name: protoPeer, config: protoConfig, open: openProto},
	{name: errgroupOf, config: errgroupConfig, open: openErrgroup},
	{name: otp, config: otpConfig},
	{name: channels, config: channelsConfig},
	{name: bboltPeer, config: bboltConfig},
	{name: backlitePeer, config: backliteConfig, queue: openBacklite},
	{name: goqitePeer, config: goqiteConfig, queue: openGoqite},
	{name: riverLite, config: riverLiteConfig, queue: openRiverLite},
	{name: riverPeer, config: riverConfig, queue: openRiver, there: hasPostgres},
	{name: asynqPeer, config: asynqConfig, queue: openAsynq, there: hasRedis},
}

// isThere reports whether what a competitor needs is there.
func isThere(name string) bool {
	for _, p := range peers {
		if p.name == name && p.there != nil {
			return p.there()
		}
	}
	return true
}

// errBench is what a child fails with.
var errBench = errors.New("bench")

// errNoNotion is the error of a competitor that is asked for what it does not have.
var errNoNotion = errors.New("the competitor has no such notion")

// A family is a running group of children. What its children do is the same for every
// competitor; only who runs them differs.
type family interface {
	// idle adds n children that call entered and then wait for their stop.
	idle(n int, entered func()) error
	// failing adds a child that calls entered whenever it is run, and fails at once
	// as long as that returns true. Then it waits for its stop.
	failing(entered func() bool) error
	// victim adds a child that calls entered whenever it is run, and waits. After a
	// call of fail it calls leaving and fails.
	victim(entered, leaving func()) (fail func(), err error)
	// shot adds a child that does nothing, and returns when it has ended.
	shot(name string) error
	// stop ends all children and returns when they have ended.
	stop() error
}

// A body is what a child does where children are functions of a context.
type body func(context.Context) error

// A host runs bodies; what a family does with them is written once, below.
type host interface {
	// add runs a body, the i-th of its family.
	add(i int, b body) error
	shot(name string) error
	stop() error
}

// hosted makes a family of a host.
type hosted struct {
	host
	n int
}

func (h *hosted) idle(n int, entered func()) error {
	b := func(ctx context.Context) error {
		entered()
		<-ctx.Done()
		return nil
	}
	for range n {
		if err := h.next(b); err != nil {
			return err
		}
	}
	return nil
}

func (h *hosted) failing(entered func() bool) error {
	return h.next(func(ctx context.Context) error {
		if entered() {
			return errBench
		}
		<-ctx.Done()
		return nil
	})
}

func (h *hosted) victim(entered, leaving func()) (fail func(), err error) {
	order := make(chan struct{})
	err = h.next(func(ctx context.Context) error {
		entered()
		select {
		case <-ctx.Done():
			return nil
		case <-order:
			leaving()
			return errBench
		}
	})
	return func() { order <- struct{}{} }, err
}

func (h *hosted) next(b body) error {
	h.n++
	return h.add(h.n, b)
}
