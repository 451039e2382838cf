package main

import (
	"context"
	"path/filepath"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/boltstore"
)

// bytesQueue is a queue of ours whose payloads are bytes, as those of bbolt by hand are: nothing
// is encoded.
type bytesQueue struct{ *ourQueue }

const bytesType = "note"

func openBytes(dir string, workers int, entered func()) (durable, error) {
	o, err := runQueue(persist.Config{Store: boltstore.File(filepath.Join(dir, "jobs.db"), boltstore.Options{}), Workers: workers}, entered)
	return bytesQueue{o}, err
}

func (q bytesQueue) submit() error {
	_, err := q.Submit(context.Background(), persist.Raw(bytesType, []byte(newNote().Text)))
	return err
}

func (q bytesQueue) submitAll(n int) error {
	subs := make([]persist.Submission, n)
	for i := range subs {
		subs[i] = persist.Raw(bytesType, []byte(newNote().Text))
	}
	_, err := q.SubmitAll(context.Background(), subs)
	return err
}

func (q bytesQueue) start() error {
	return q.Handle(persist.HandleRaw(bytesType, func(context.Context, []byte) error { q.entered(); return nil }))
}

// withBytes is a measurement by a queue of ours of bytes.
func withBytes(measure func(peer, scale) (figures, error)) func(peer, scale) (figures, error) {
	return func(p peer, size scale) (figures, error) {
		if p.name == ours {
			p.queue = openBytes
		}
		return measure(p, size)
	}
}
