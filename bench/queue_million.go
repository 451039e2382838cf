package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/boltstore"
)

func millionWorks() []work {
	return []work{{
		name: "queue-million", family: depthFamily, by: []string{ours}, rounds: 2,
		how: "A million jobs wait that were submitted in batches. The heap is what is live after collections, less what was before. Then the counts of jobs by phase, and what metrics are read from, a hundred times each. " +
			"The first 20,000 jobs are drained by 16 workers, and the same is done before and after with a queue in which 1,000 wait when that is done. The file as it was before, as the death of the process would leave it, is scanned and " +
			"indexed by hand, with the cache warm: a checksum of every record, its number in one map, a key in another, and both in a list; and then it is opened, until the first handler is entered.",
		lines: []line{
			{figure: "drain-1k", title: "drain 20k with 1k pending, per job", unit: "µs"},
			{figure: "drain-1m", title: "drain 20k with 1M pending, per job", unit: "µs", targets: []target{timesLine(1.3, "queue-million", "drain-1k", "with 1k")}},
			{figure: "scan", title: "scan and index 1M records by hand", unit: "ms"},
			{figure: "open", title: "open with 1M pending, not closed before → first handler", unit: "ms", targets: []target{timesLine(3, "queue-million", "scan", "by hand")}},
			{figure: "heap", title: "live heap per pending job, 1M submitted", unit: "bytes", targets: []target{atMost(250)}},
			{figure: "heap-open", title: "live heap per pending job, 1M found at opening", unit: "bytes", targets: []target{atMost(250)}},
			{figure: "fill", title: "submit 1M in batches of 10,000, per job", unit: "µs"},
			{figure: "counts", title: "counts of jobs by phase, 1M pending", unit: "µs", targets: []target{atMost(1000)}},
			{figure: "measure", title: "all metrics, 1M pending", unit: "µs", targets: []target{atMost(1000)}},
			{figure: "counts-history", title: "counts of jobs by phase, 1M pending and 20k in history", unit: "µs", targets: []target{atMost(1000)}},
			{figure: "measure-history", title: "all metrics, 1M pending and 20k in history", unit: "µs", targets: []target{atMost(1000)}},
		},
		measure: measureMillion,
	}}
}

func measureMillion(_ peer, size scale) (figures, error) {
	got := figures{}
	err := withFolder(func(dir string) error {
		few, many := filepath.Join(dir, "few"), filepath.Join(dir, "many.db")
		copied := filepath.Join(dir, "copied.db")
		return errors.Join(
			fewWait(few+"-1", size, "before", got),
			manyWait(many, copied, size, got),
			fewWait(few+"-2", size, "after", got),
			scanned(copied, size.pending, got),
			reopened(copied, size.pending, got),
		)
	})
	got["drain-1k"] = (got["before"] + got["after"]) / 2 // for the first is a little slower
	return got, err
}

// limited is a queue whose first jobs do nothing, and the others wait for their stop.
type limited struct {
	*ourQueue
	begun atomic.Int64
	limit int64
	full  chan struct{} // closed when as many have begun
}

func runLimited(path string, limit int) (*limited, error) {
	l := &limited{limit: int64(limit), full: make(chan struct{})}
	var err error
	l.ourQueue, err = runQueue(persist.Config{
		Store: boltstore.File(path, boltstore.Options{}), Workers: working, Types: []persist.Known{noteType}, History: 2 * limit,
	}, nil)
	return l, err
}

func (l *limited) start() error {
	return l.Handle(noteType.Handle(func(ctx context.Context, _ note) error {
		switch n := l.begun.Add(1); {
		case n == l.limit:
			close(l.full)
		case n > l.limit:
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}))
}

// drain lets the first jobs run, and returns what each has taken when all have ended on disk, in microseconds.
func (l *limited) drain() (float64, error) {
	begin := time.Now()
	if err := l.start(); err != nil {
		return 0, err
	}
	<-l.full
	for l.Counts()[persist.Ended] < int(l.limit) {
		time.Sleep(100 * time.Microsecond)
	}
	return perJob(time.Since(begin), int(l.limit)), nil
}

func fewWait(path string, size scale, figure string, got figures) error {
	l, err := runLimited(path, size.jobs)
	if err != nil {
		return err
	}
	err = fill(l, size.jobs+bulk)
	if err == nil {
		got[figure], err = l.drain()
	}
	return errors.Join(err, l.stop())
}

func manyWait(path, copied string, size scale, got figures) error {
	before := liveHeap()
	l, err := runLimited(path, size.jobs)
	if err != nil {
		return err
	}
	err = l.manyWait(before, path, copied, size, got)
	return errors.Join(err, l.stop())
}

func (l *limited) manyWait(before uint64, path, copied string, size scale, got figures) (err error) {
	begin := time.Now()
	for left := size.pending; left > 0 && err == nil; left -= persist.MaxBatch {
		err = l.submitWith(min(left, persist.MaxBatch))
	}
	got["fill"] = perJob(time.Since(begin), size.pending)
	if err != nil {
		return err
	}
	got["heap"] = float64(liveHeap()-before) / float64(size.pending)
	l.look("", got)
	if err := copyFile(copied, path); err != nil {
		return err
	}
	if got["drain-1m"], err = l.drain(); err != nil {
		return err
	}
	l.look("-history", got)
	return nil
}

// look measures what is asked for often.
func (l *limited) look(suffix string, got figures) {
	ignore := func(*events.Metric, float64, ...string) {}
	for name, ask := range map[string]func(){
		"counts": func() { l.Counts() }, "measure": func() { l.Measure(ignore) },
	} {
		var took []float64
		for range 100 {
			begin := time.Now()
			ask()
			took = append(took, micros(float64(time.Since(begin).Nanoseconds())))
		}
		got[name+suffix] = median(took)
	}
}

func millis(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

// liveHeap returns the bytes that are in use after everything else was collected.
func liveHeap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// copyFile copies a file to which nobody writes right now.
func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // it was only read
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// found is a job as a scan by hand keeps it.
type found struct {
	id  [8]byte
	key [16]byte
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// scanned measures a scan by hand.
func scanned(path string, n int, got figures) error {
	runtime.GC()
	begin := time.Now()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoFreelistSync: true, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return err
	}
	ids, keys, list := map[[8]byte]*found{}, map[[16]byte]*found{}, []*found{}
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(rawBucket).ForEach(func(k, v []byte) error {
			eachRecord(k, v, func(id [8]byte, record []byte) {
				f := &found{id: id}
				binary.LittleEndian.PutUint32(f.key[:], crc32.Checksum(record, castagnoli)) // so that all is looked at
				copy(f.key[4:], id[:])
				ids[f.id], keys[f.key] = f, f
				list = append(list, f)
			})
			return nil
		})
	})
	got["scan"] = millis(time.Since(begin))
	if err == nil && len(ids) != n {
		err = fmt.Errorf("%d records of %d", len(ids), n)
	}
	runtime.KeepAlive(keys)
	runtime.KeepAlive(list)
	return errors.Join(err, db.Close())
}

// eachRecord calls each for the records in a value of our file: that of the key; or, if it ends with an index, those
// up to the key, as boltstore/sheet.go has it.
func eachRecord(key, value []byte, each func(id [8]byte, record []byte)) {
	const tag, rest, place = 0x82, 6, 2
	end := len(value) - rest
	if value[end+1] != tag {
		each([8]byte(key), value)
		return
	}
	n := int(value[end])
	places := value[end-n*place : end]
	id := binary.BigEndian.Uint64(key) - uint64(n)
	for ; len(places) > 0; places = places[place:] {
		id++
		if size := binary.LittleEndian.Uint16(places); size > 0 {
			each([8]byte(binary.BigEndian.AppendUint64(nil, id)), value[:size])
			value = value[size:]
		}
	}
}

func reopened(path string, n int, got figures) error {
	before := liveHeap()
	entered := make(chan time.Time, working)
	begin := time.Now()
	o, err := runQueue(persist.Config{
		Store: boltstore.File(path, boltstore.Options{}), Workers: working,
		Handlers: []persist.Handler{noteType.Handle(func(ctx context.Context, _ note) error {
			entered <- time.Now()
			<-ctx.Done()
			return ctx.Err()
		})},
	}, nil)
	if err != nil {
		return err
	}
	select {
	case at := <-entered:
		got["open"] = millis(at.Sub(begin))
	case <-time.After(10 * patience):
		return errors.Join(errors.New("the queue is ready, and no handler is entered"), o.stop())
	}
	got["heap-open"] = float64(liveHeap()-before) / float64(n)
	return o.stop()
}
