package main

import (
	"context"
	"errors"
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
	_, err := q.Submit(context.Background(), persist.Raw(bytesType, freshBytes()))
	return err
}

func (q bytesQueue) submitAll(ins []note) error {
	payloads := make([][]byte, len(ins))
	for i, in := range ins {
		payloads[i] = encoded(in)
	}
	return q.submitBytes(payloads)
}

func (q bytesQueue) submitBytes(payloads [][]byte) error {
	subs := make([]persist.Submission, len(payloads))
	for i, payload := range payloads {
		subs[i] = persist.Raw(bytesType, payload)
	}
	_, err := q.SubmitAll(context.Background(), subs)
	return err
}

func (q bytesQueue) start() error {
	return q.Handle(persist.HandleRaw(bytesType, func(context.Context, []byte) error { q.entered(); return nil }))
}

func measureBulkBytes(p peer, size scale) (f figures, err error) {
	if p.name == bboltPeer {
		return measureBulkPuts(size)
	}
	err = withFolder(func(dir string) error {
		d, err := openBytes(dir, working, nobodyEntered)
		if err != nil {
			return err
		}
		q := d.(bytesQueue)
		f, err = batches(size, freshBytes, q.submitBytes)
		return errors.Join(err, q.stop())
	})
	return f, err
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
