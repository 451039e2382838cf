package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/boltstore"
)

// troop is how many jobs are submitted together, and end together.
const troop = 100

func diskWorks() []work {
	mine := []string{ours}
	return []work{
		{
			name: "queue-bytes", family: depthFamily, by: mine, rounds: 2,
			how: "100 jobs are submitted together, all run at a time, and end together; then the next 100. What the store has written for each of them, from its submission until it is forgotten: " +
				"1,000 jobs that have ended are remembered, and as many have ended before.",
			lines:   []line{{figure: "life", title: "written for the whole life of a job, groups of 100", unit: "bytes", targets: []target{atMost(1500)}}},
			measure: measureBytes,
		},
		{
			name: "queue-passage", family: depthFamily, by: mine, rounds: 1,
			how: "200,000 jobs pass through a queue in which never more than 10,000 wait, and are forgotten when 10,000 have ended after them. How large the file is when half of them have, and at the end. " +
				"Then what the store writes for single jobs, the most of 50: the submission of one that is delayed, and the whole life of one that does nothing, which is two commits.",
			lines: []line{
				{figure: "half", title: "file after 100k jobs passed through", unit: "MB"},
				{figure: "whole", title: "file after 200k jobs passed through", unit: "MB", targets: []target{timesLine(1.1, "queue-passage", "half", "after 100k")}},
				{figure: "commit", title: "written for one submission after that, at most", unit: "KiB", targets: []target{atMost(32)}},
				{figure: "life", title: "written for one job, submission and end, at most", unit: "KiB", targets: []target{atMost(64)}},
			},
			measure: measurePassage,
		},
	}
}

// spied is a backend whose store can be asked for its figures.
type spied struct {
	path string
	at   *boltstore.Store
}

func (s *spied) Open(ctx context.Context) (persist.Store, error) {
	store, err := boltstore.Open(ctx, s.path, boltstore.Options{})
	if err != nil {
		return nil, err
	}
	s.at = store
	return store, nil
}

// written returns how much the store has written.
func (s *spied) written() int64 { return s.at.Stats().Written }

func withSpied(cfg persist.Config, handle persist.Handler, use func(*ourQueue, *spied) error) error {
	return withFolder(func(dir string) error {
		s := &spied{path: filepath.Join(dir, "jobs.db")}
		cfg.Store, cfg.Handlers = s, []persist.Handler{handle}
		o, err := runQueue(cfg, nil)
		if err != nil {
			return err
		}
		return errors.Join(use(o, s), o.stop())
	})
}

// await returns when so few are left.
func (o *ourQueue) await(few int) error {
	for {
		left, err := o.left()
		if err != nil || left <= few {
			return err
		}
		time.Sleep(50 * time.Microsecond)
	}
}

func measureBytes(_ peer, size scale) (f figures, err error) {
	entered, leave := make(chan struct{}, troop), make(chan struct{})
	handle := noteType.Handle(func(context.Context, note) error {
		entered <- struct{}{}
		<-leave
		return nil
	})
	err = withSpied(persist.Config{Workers: troop, History: bulk}, handle, func(o *ourQueue, s *spied) error {
		troops := func(n int) error {
			for range n {
				if err := o.submitWith(troop); err != nil {
					return err
				}
				for range troop {
					<-entered
				}
				for range troop {
					leave <- struct{}{}
				}
				if err := o.await(0); err != nil {
					return err
				}
			}
			return nil
		}
		if err := troops(2 * bulk / troop); err != nil {
			return err
		}
		before, n := s.written(), size.jobs/troop/2
		if err := troops(n); err != nil {
			return err
		}
		f = figures{"life": float64(s.written()-before) / float64(n*troop)}
		return nil
	})
	return f, err
}

func measurePassage(_ peer, size scale) (f figures, err error) {
	handle := noteType.Handle(func(context.Context, note) error { return nil })
	err = withSpied(persist.Config{Workers: working}, handle, func(o *ourQueue, s *spied) error {
		f = figures{}
		for passed := 0; passed < size.passing; passed += bulk {
			if passed == size.passing/2 {
				f["half"] = megabytes(s)
			}
			if err := errors.Join(o.submitWith(bulk), o.await(10_000-bulk)); err != nil {
				return err
			}
		}
		if err := o.await(0); err != nil {
			return err
		}
		f["whole"] = megabytes(s)
		for range 50 {
			before := s.written()
			if err := o.submitWith(1, persist.WithDelay(time.Hour)); err != nil {
				return err
			}
			f["commit"] = max(f["commit"], float64(s.written()-before)/1024)
		}
		left, err := o.left()
		if err != nil {
			return err
		}
		for range 50 {
			before := s.written()
			if err := errors.Join(o.submit(), o.await(left)); err != nil {
				return err
			}
			f["life"] = max(f["life"], float64(s.written()-before)/1024)
		}
		if left != 50 {
			return fmt.Errorf("%d jobs are delayed, not 50", left)
		}
		return nil
	})
	return f, err
}

func megabytes(s *spied) float64 { return float64(s.at.Stats().Bytes) / 1e6 }
