package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A note is the input of a job.
type note struct{ Text string }

var notes atomic.Uint64

// firstNote is the least number of as many digits as all others will have.
const firstNote = 1_000_000_000_000

var padding = strings.Repeat("-", noteSize-len(`{"Text":"1000000000000"}`))

// newNote returns a payload that there was not before in this process. Encoded as JSON, it
// has noteSize bytes.
func newNote() note {
	text := make([]byte, 0, noteSize)
	return note{Text: string(append(strconv.AppendUint(text, firstNote+notes.Add(1), 10), padding...))}
}

// freshBytes is the document that one would be.
func freshBytes() []byte {
	text := append(make([]byte, 0, noteSize), `{"Text":"`...)
	return append(append(strconv.AppendUint(text, firstNote+notes.Add(1), 10), padding...), `"}`...)
}

func newNotes(n int) []note { return several(n, newNote) }

func several[T any](n int, fresh func() T) []T {
	list := make([]T, n)
	for i := range list {
		list[i] = fresh()
	}
	return list
}

// A durable is a queue with jobs on disk.
type durable interface {
	// submit stores a job, and returns when it is on disk.
	submit() error
	// submitAll stores jobs together.
	submitAll(ins []note) error
	// start begins to run jobs, as many at a time as was said when the queue was opened. For each of them
	// it calls what was given then.
	start() error
	// left returns how many jobs have not ended, or not on disk.
	left() (int, error)
	// stop ends everything.
	stop() error
}

// opening is how a queue is opened: in a folder, with so many workers, whose jobs call
// entered.
type opening func(dir string, workers int, entered func()) (durable, error)

// withQueue calls use with a queue that is new, in a folder that is removed afterwards.
func withQueue(p peer, workers int, entered func(), use func(durable) error) error {
	if p.queue == nil {
		return errNoNotion
	}
	return withFolder(func(dir string) error {
		d, err := p.queue(dir, workers, entered)
		if err != nil {
			return err
		}
		return errors.Join(use(d), d.stop())
	})
}

// withFolder calls use with a new folder. It has to be on a disk: see TMPDIR.
func withFolder(use func(dir string) error) error {
	dir, err := os.MkdirTemp("", "q-")
	if err != nil {
		return err
	}
	return errors.Join(use(dir), os.RemoveAll(dir))
}

func nobodyEntered() {}

// hammer has so many goroutines call f for a spell, and returns how often they did, and how long it took until the
// last returned.
func hammer(callers int, spell time.Duration, f func() error) (n int, took time.Duration, err error) {
	var wg sync.WaitGroup
	var calls atomic.Int64
	failed := make(chan error, callers)
	begin := time.Now()
	for range callers {
		wg.Go(func() {
			for time.Since(begin) < spell {
				if err := f(); err != nil {
					failed <- err
					return
				}
				calls.Add(1)
			}
		})
	}
	wg.Wait()
	took = time.Since(begin)
	select {
	case err = <-failed:
	default:
	}
	return int(calls.Load()), took, err
}

// batches measures how jobs are stored, always bulk of them together, after a moment for everything to get going. What
// is stored is there before: to make it is nothing that who stores it has to do.
func batches[T any](size scale, fresh func() T, store func([]T) error) (figures, error) {
	if _, _, err := stored(size.spell/10, fresh, store); err != nil {
		return nil, err
	}
	n, took, err := stored(size.spell, fresh, store)
	return figures{"job": perJob(took, n)}, err
}

func stored[T any](spell time.Duration, fresh func() T, store func([]T) error) (n int, took time.Duration, err error) {
	for took < spell {
		list := several(bulk, fresh)
		begin := time.Now()
		if err := store(list); err != nil {
			return n, took, err
		}
		took += time.Since(begin)
		n += bulk
	}
	return n, took, nil
}

// perJob returns the time of one of n jobs, in microseconds.
func perJob(took time.Duration, n int) float64 {
	return micros(float64(took.Nanoseconds()) / float64(n))
}

func measureSubmissions(p peer, size scale, callers int) (f figures, err error) {
	if p.name == bboltPeer {
		return measurePuts(size, callers)
	}
	err = withQueue(p, working, nobodyEntered, func(d durable) error {
		f, err = submissions(d.submit, size, callers)
		return err
	})
	return f, err
}

// submissions measures one way to submit, after a moment for everything to get going.
func submissions(submit func() error, size scale, callers int) (figures, error) {
	if _, _, err := hammer(callers, size.spell/10, submit); err != nil {
		return nil, err
	}
	n, took, err := hammer(callers, size.spell, submit)
	return figures{"job": perJob(took, n)}, err
}

func measureBulk(p peer, size scale) (f figures, err error) {
	if p.name == bboltPeer {
		return measureBulkPuts(size)
	}
	err = withQueue(p, working, nobodyEntered, func(d durable) error {
		f, err = batches(size, newNote, d.submitAll)
		return err
	})
	return f, err
}

// patience is how long is waited for what slow competitors do.
const patience = 3 * time.Second

func measureDrain(p peer, size scale) (f figures, err error) {
	if p.name == bboltPeer {
		return measureBulkPuts(size)
	}
	var c counter
	err = withQueue(p, working, c.entered, func(d durable) error {
		if err := fill(d, size.jobs); err != nil {
			return err
		}
		begin := time.Now()
		if err := d.start(); err != nil {
			return err
		}
		left, took, err := c.drained(d, size.jobs, begin)
		if done := size.jobs - left; err == nil && done > 0 {
			f = figures{"job": perJob(took, done)}
			return nil
		}
		return errors.Join(err, errors.New("nothing was done"))
	})
	return f, err
}

// fill submits jobs, together where that can be.
func fill(d durable, n int) error {
	for n > 0 {
		now := min(n, bulk)
		err := d.submitAll(newNotes(now))
		if errors.Is(err, errNoNotion) {
			return fillSingly(d, n)
		}
		if err != nil {
			return err
		}
		n -= now
	}
	return nil
}

func fillSingly(d durable, n int) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	failed := make(chan error, submitting)
	for range submitting {
		wg.Go(func() {
			for next.Add(1) <= int64(n) {
				if err := d.submit(); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// counter counts the jobs that were begun.
type counter struct{ n atomic.Int64 }

func (c *counter) entered() { c.n.Add(1) }

// drained waits until n jobs have ended, or patience has, and returns how many are left
// and how long it took.
func (c *counter) drained(d durable, n int, begin time.Time) (left int, took time.Duration, err error) {
	for c.n.Load() < int64(n) && time.Since(begin) < patience {
		time.Sleep(200 * time.Microsecond)
	}
	for {
		took = time.Since(begin)
		left, err = d.left()
		if err != nil || left == 0 || took >= patience {
			return left, took, err
		}
		time.Sleep(200 * time.Microsecond)
	}
}

func measureRun(p peer, size scale) (f figures, err error) {
	if p.name == bboltPeer {
		return measurePuts(size, submitting)
	}
	var c counter
	err = withQueue(p, working, c.entered, func(d durable) error {
		if err := d.start(); err != nil {
			return err
		}
		begin := time.Now()
		n, _, err := hammer(submitting, size.spell, d.submit)
		if err != nil {
			return err
		}
		left, took, err := c.drained(d, n, begin)
		if left >= n {
			return errors.Join(err, fmt.Errorf("of %d jobs none was done", n))
		}
		f = figures{"job": perJob(took, n-left)}
		return err
	})
	return f, err
}

// shortRest is what lies between two jobs that come alone.
const shortRest = 200 * time.Microsecond

func measureLatency(p peer, size scale) (f figures, err error) {
	if p.name == bboltPeer {
		return measurePut(size)
	}
	entered := make(chan time.Time, 1)
	err = withQueue(p, working, func() { entered <- time.Now() }, func(d durable) error {
		if err := d.start(); err != nil {
			return err
		}
		var took []float64
		for begin := time.Now(); len(took) < 3 || time.Since(begin) < size.spell; {
			at := time.Now()
			if err := d.submit(); err != nil {
				return err
			}
			took = append(took, micros(float64((<-entered).Sub(at).Nanoseconds())))
			for left := 1; left > 0; {
				time.Sleep(shortRest)
				if left, err = d.left(); err != nil {
					return err
				}
			}
		}
		f = figures{"entered": median(took)}
		return nil
	})
	return f, err
}
