package main

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/boltstore"
)

// openGroup is the group that may run, and perGroup how many jobs of each other wait.
const (
	openGroup = "open"
	perGroup  = 10
)

func crowdWorks() []work {
	return []work{{
		name: "queue-crowd", family: depthFamily, by: []string{ours}, rounds: 3,
		how: "20,000 jobs are drained by 16 workers: alone; after 200,000 of a higher priority that are delayed for an hour; and after those of 10,000 groups of a higher priority, of which one job each runs, " +
			"which is as many as may, and ten more wait. The 20,000 are of another group then, with a limit of 16. In turn in one process.",
		lines: []line{
			{figure: "plain", title: "drain 20k, nothing before them, per job", unit: "µs"},
			{figure: "delayed", title: "drain 20k behind 200k delayed jobs, per job", unit: "µs", targets: []target{timesLine(2, "queue-crowd", "plain", "with nothing before")}},
			{figure: "groups", title: "drain 20k behind 10k groups at their limits, per job", unit: "µs", targets: []target{timesLine(2, "queue-crowd", "plain", "with nothing before")}},
		},
		measure: measureCrowd,
	}}
}

func measureCrowd(_ peer, size scale) (figures, error) {
	way := func(figure string, prepare func(*ourQueue) error, opts ...persist.Option) way {
		return func() (f figures, err error) {
			err = withFolder(func(dir string) error {
				f, err = crowded(dir, size, figure, prepare, opts)
				return err
			})
			return f, err
		}
	}
	return inTurn(
		1,
		way("plain", func(*ourQueue) error { return nil }),
		way("delayed", func(o *ourQueue) error {
			return o.inBatches(size.delayed, persist.WithPriority(persist.High), persist.WithDelay(time.Hour))
		}),
		way("groups", func(o *ourQueue) error { return o.fillGroups(size.groups) }, persist.WithGroup(openGroup)),
	)
}

func (o *ourQueue) inBatches(n int, opts ...persist.Option) error {
	for n > 0 {
		now := min(n, persist.MaxBatch)
		if err := o.submitWith(now, opts...); err != nil {
			return err
		}
		n -= now
	}
	return nil
}

// crowded drains jobs behind others.
func crowded(dir string, size scale, figure string, prepare func(*ourQueue) error, opts []persist.Option) (f figures, err error) {
	var c counter
	o, err := runQueue(persist.Config{
		Store: boltstore.File(filepath.Join(dir, "jobs.db"), boltstore.Options{}), Workers: working, Types: []persist.Known{noteType},
		GroupLimit: 1, GroupLimits: map[string]int{openGroup: working}, History: 2 * size.jobs,
	}, c.entered)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.stop()) }()
	if err := prepare(o); err != nil {
		return nil, err
	}
	if err := o.inBatches(size.jobs, opts...); err != nil {
		return nil, err
	}
	begin := time.Now()
	if err := o.start(); err != nil {
		return nil, err
	}
	for o.Counts()[persist.Ended] < size.jobs {
		time.Sleep(100 * time.Microsecond)
	}
	return figures{figure: perJob(time.Since(begin), size.jobs)}, nil
}

// holdType is what the jobs are that occupy their groups.
var holdType = persist.Define[note]("hold")

// fillGroups has one job of each group run until the queue stops, and others wait for that.
func (o *ourQueue) fillGroups(groups int) error {
	if err := o.SetWorkers(groups + working); err != nil {
		return err
	}
	var holding atomic.Int64
	err := o.Handle(holdType.Handle(func(ctx context.Context, _ note) error {
		holding.Add(1)
		<-ctx.Done()
		return ctx.Err()
	}))
	if err != nil {
		return err
	}
	var subs []persist.Submission
	for g := range groups {
		group := persist.WithGroup("group-" + strconv.Itoa(g))
		subs = append(subs, holdType.New(newNote(), group))
		for range perGroup {
			subs = append(subs, noteType.New(newNote(), group))
		}
	}
	if _, err := o.SubmitAll(context.Background(), subs, persist.WithPriority(persist.High)); err != nil {
		return err
	}
	for holding.Load() < int64(groups) {
		time.Sleep(time.Millisecond)
	}
	return nil
}
