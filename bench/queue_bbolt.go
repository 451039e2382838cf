package main

import (
	"encoding/binary"
	"errors"
	"path/filepath"
	"sync"
	"time"

	"go.etcd.io/bbolt"
)

const bboltConfig = "bbolt by hand: one bucket, sequential keys, values of 256 bytes, pages filled to 0.9, no synced freelist, freelist in a map, " +
	"256 MiB mapped at first: the options of our store. Two syncs per commit, as always."

// rawFile is a file of bbolt with one bucket.
type rawFile struct {
	db   *bbolt.DB
	next uint64
	vals [][]byte // for puts of which it does not matter what is put
}

var rawBucket = []byte("jobs")

func openRaw(path string) (*rawFile, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, InitialMmapSize: 256 << 20,
	})
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(rawBucket)
		return err
	})
	return &rawFile{db: db, vals: several(bulk, freshBytes)}, err
}

// put commits so many puts, bulk at most.
func (r *rawFile) put(n int) error { return r.putAll(r.vals[:n]) }

func (r *rawFile) putAll(vals [][]byte) error {
	return r.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(rawBucket)
		b.FillPercent = 0.9
		for _, val := range vals {
			r.next++
			var key [8]byte
			binary.BigEndian.PutUint64(key[:], r.next)
			if err := b.Put(key[:], val); err != nil {
				return err
			}
		}
		return nil
	})
}

func withRaw(use func(*rawFile) error) error {
	return withFolder(func(dir string) error {
		r, err := openRaw(filepath.Join(dir, "raw.db"))
		if err != nil {
			return err
		}
		return errors.Join(use(r), r.db.Close())
	})
}

// measurePuts measures puts by one goroutine, one per commit, or by many that share commits.
func measurePuts(size scale, callers int) (f figures, err error) {
	err = withRaw(func(r *rawFile) error {
		submit := func() error { return r.put(1) }
		if callers > 1 {
			g := newGrouped(r)
			defer g.stop()
			submit = g.submit
		}
		f, err = submissions(submit, size, callers)
		return err
	})
	return f, err
}

// rawLists is how many lists of payloads are put in turn: together they do not fit into the caches that a processor has
// for itself, as what others submit does not.
const rawLists = 16

func measureBulkPuts(size scale) (f figures, err error) {
	err = withRaw(func(r *rawFile) error {
		lists := several(rawLists, func() [][]byte { return several(bulk, freshBytes) })
		at := 0
		f, err = submissions(func() error {
			at++
			return r.putAll(lists[at%rawLists])
		}, size, 1)
		if err != nil {
			return err
		}
		f["job"] /= bulk
		return nil
	})
	return f, err
}

// measurePut returns the median of a commit, with a rest before each.
func measurePut(size scale) (f figures, err error) {
	err = withRaw(func(r *rawFile) error {
		var took []float64
		for begin := time.Now(); time.Since(begin) < size.spell; {
			at := time.Now()
			if err := r.put(1); err != nil {
				return err
			}
			took = append(took, micros(float64(time.Since(at).Nanoseconds())))
			time.Sleep(shortRest)
		}
		f = figures{"entered": median(took)}
		return nil
	})
	return f, err
}

// grouped commits what many have queued meanwhile.
type grouped struct {
	file    *rawFile
	mu      sync.Mutex
	waiting []chan error
	wake    chan struct{}
	ended   sync.WaitGroup
}

func newGrouped(r *rawFile) *grouped {
	g := &grouped{file: r, wake: make(chan struct{}, 1)}
	g.ended.Go(g.run)
	return g
}

func (g *grouped) submit() error {
	c := make(chan error, 1)
	g.mu.Lock()
	g.waiting = append(g.waiting, c)
	g.mu.Unlock()
	select {
	case g.wake <- struct{}{}:
	default:
	}
	return <-c
}

func (g *grouped) run() {
	for range g.wake {
		g.mu.Lock()
		now := g.waiting
		g.waiting = nil
		g.mu.Unlock()
		if len(now) == 0 {
			continue
		}
		err := g.file.put(len(now))
		for _, c := range now {
			c <- err
		}
	}
}

// stop ends it when nobody submits any more.
func (g *grouped) stop() {
	close(g.wake)
	g.ended.Wait()
}
