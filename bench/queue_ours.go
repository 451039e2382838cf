package main

import (
	"context"
	"path/filepath"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/boltstore"
)

const queueConfig = "`persist.Queue` with `boltstore.File` and the zero `Options`, a typed job whose payload is JSON, and everything else as it is when nothing is said: " +
	"the key of a job is its payload, 10,000 jobs that have ended are remembered. No bus, no subscriber."

// noteType is what the jobs are. It is encoded as JSON.
var noteType = persist.Define[note]("note")

// ourQueue is a queue of ours that runs.
type ourQueue struct {
	*persist.Queue
	entered func()
	cancel  context.CancelFunc
	ended   chan error
}

func openOurs(dir string, workers int, entered func()) (durable, error) {
	return runQueue(persist.Config{
		Store: boltstore.File(filepath.Join(dir, "jobs.db"), boltstore.Options{}), Workers: workers,
		Types: []persist.Known{noteType},
	}, entered)
}

// runQueue runs a queue, and returns when it takes jobs in.
func runQueue(cfg persist.Config, entered func()) (*ourQueue, error) {
	ctx, cancel := context.WithCancel(context.Background())
	o := &ourQueue{Queue: persist.New(cfg), entered: entered, cancel: cancel, ended: make(chan error, 1)}
	go func() { o.ended <- o.Run(ctx) }()
	return o, o.WaitReady(ctx)
}

func (o *ourQueue) submit() error {
	_, err := noteType.Submit(context.Background(), o.Queue, newNote())
	return err
}

func (o *ourQueue) submitAll(ins []note) error {
	_, err := noteType.SubmitAll(context.Background(), o.Queue, ins)
	return err
}

func (o *ourQueue) submitWith(n int, opts ...persist.Option) error {
	_, err := noteType.SubmitAll(context.Background(), o.Queue, newNotes(n), opts...)
	return err
}

func (o *ourQueue) start() error {
	return o.Handle(noteType.Handle(func(context.Context, note) error { o.entered(); return nil }))
}

func (o *ourQueue) left() (int, error) {
	n := 0
	for phase, c := range o.Counts() {
		if phase != persist.Ended {
			n += c
		}
	}
	return n, nil
}

func (o *ourQueue) stop() error {
	o.cancel()
	return <-o.ended
}
