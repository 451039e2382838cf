package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/boltstore"
	"github.com/taskvisor/taskvisor/policy"
)

const millFamily = "The durable queue's ancestor's workloads"

// millWorks are the workloads of the Rust library that the durable queue descends from,
// with the same parameters, but on a file that is synced, where the ancestor has memory.
func millWorks() []work {
	return []work{
		mill("mill-submit", "1,000 jobs without a payload are submitted to a queue that has no handler for them: one by one, each with a key; all with one key; in one batch. The time of all.",
			millLine{"submit", "submit_tasks/1000", func(o *ourQueue) error { return o.numbered(1000, nil) }, 4, false},
			millLine{"hit", "submit_dedup_hit/1000", func(o *ourQueue) error { return o.numbered(1000, func(int) string { return "same" }) }, 4, false},
			millLine{"batch", "batch_submit/1000", func(o *ourQueue) error { return o.numberedBatch(1000) }, 4, false},
		),
		mill("mill-dispatch", "Jobs that do nothing are submitted one by one to a queue that runs them, with as many workers as the last number says (8 and 4 where it is left out); the time until all have ended, on disk. "+
			"With five priorities in turn, where the line says so.",
			millLine{"complete", "dispatch_and_complete/1000", func(o *ourQueue) error { return o.numbered(1000, nil) }, 8, true},
			millLine{"1", "concurrency_scaling/1, 500 jobs", func(o *ourQueue) error { return o.numbered(500, nil) }, 1, true},
			millLine{"2", "concurrency_scaling/2", func(o *ourQueue) error { return o.numbered(500, nil) }, 2, true},
			millLine{"4", "concurrency_scaling/4", func(o *ourQueue) error { return o.numbered(500, nil) }, 4, true},
			millLine{"8", "concurrency_scaling/8", func(o *ourQueue) error { return o.numbered(500, nil) }, 8, true},
			millLine{"mixed", "mixed_priority_dispatch/500", func(o *ourQueue) error { return o.numbered(500, nil, inTiers) }, 4, true},
		),
		millGroups(),
		{
			name: "mill-failures", family: millFamily, by: []string{ours}, rounds: 1,
			how: "As before, with 8 workers, and jobs that fail: 500 for good; 100 whenever they run, with three retries, until they are dead letters. A delay of nothing is a nanosecond where the shape needs one.",
			lines: []line{
				{figure: "permanent", title: "dispatch_permanent_failure/500", unit: "ms"},
				{figure: "constant", title: "retryable_dead_letter/constant, 100 jobs", unit: "ms"},
				{figure: "linear", title: "retryable_dead_letter/linear", unit: "ms"},
				{figure: "exponential", title: "retryable_dead_letter/exponential", unit: "ms"},
				{figure: "jitter", title: "retryable_dead_letter/exponential_jitter", unit: "ms"},
			},
			measure: measureMillFailures,
		},
		{
			name: "mill-backoff", family: millFamily, by: []string{ours},
			how: "Twenty pauses are computed, the first to the twentieth.",
			lines: []line{
				{figure: "constant", title: "backoff_delay/constant", unit: "ns"},
				{figure: "linear", title: "backoff_delay/linear", unit: "ns"},
				{figure: "exponential", title: "backoff_delay/exponential", unit: "ns"},
				{figure: "jitter", title: "backoff_delay/exponential_jitter", unit: "ns"},
			},
			measure: measureMillBackoff,
		},
		millHistory(),
	}
}

// A millLine is one workload: use it is timed, with the wait for the end of all jobs if they are
// handled.
type millLine struct {
	figure, title string
	use           func(*ourQueue) error
	workers       int
	handled       bool
}

// millTurns is how often each of them is done.
const millTurns = 3

func mill(name, how string, lines ...millLine) work {
	w := work{name: name, family: millFamily, by: []string{ours}, how: how, rounds: 1}
	for _, l := range lines {
		w.lines = append(w.lines, line{figure: l.figure, title: l.title, unit: "ms"})
	}
	w.measure = func(peer, scale) (figures, error) {
		var ways []way
		for _, l := range lines {
			ways = append(ways, func() (figures, error) {
				return milled(l.figure, persist.Config{Workers: l.workers}, l.handled, nothingMilled, l.use)
			})
		}
		return inTurn(millTurns, ways...)
	}
	return w
}

// numberType is a job that has no payload to speak of, and a key.
var numberType = persist.Define[struct{}]("number")

func nothingMilled(context.Context, struct{}) error { return nil }

// milled opens a queue, times what is done with it, and the wait for all jobs if they are handled.
func milled(figure string, cfg persist.Config, handled bool, handle func(context.Context, struct{}) error, use func(*ourQueue) error) (f figures, err error) {
	err = withFolder(func(dir string) error {
		cfg.Store, cfg.Types = boltstore.File(filepath.Join(dir, "jobs.db"), boltstore.Options{}), []persist.Known{numberType}
		if handled {
			cfg.Handlers = []persist.Handler{numberType.Handle(handle)}
		}
		o, err := runQueue(cfg, nil)
		if err != nil {
			return err
		}
		begin := time.Now()
		err = use(o)
		if handled && err == nil {
			err = o.await(0)
		}
		f = figures{figure: millis(time.Since(begin))}
		return errors.Join(err, o.stop())
	})
	return f, err
}

// numbered submits jobs one by one, with keys and options that depend on their numbers.
func (o *ourQueue) numbered(n int, key func(int) string, opts ...func(int) persist.Option) error {
	if key == nil {
		key = strconv.Itoa
	}
	for i := range n {
		all := []persist.Option{persist.WithKey("key-" + key(i))}
		for _, opt := range opts {
			all = append(all, opt(i))
		}
		if _, err := numberType.Submit(context.Background(), o.Queue, struct{}{}, all...); err != nil {
			return err
		}
	}
	return nil
}

func (o *ourQueue) numberedBatch(n int) error {
	subs := make([]persist.Submission, n)
	for i := range subs {
		subs[i] = numberType.New(struct{}{}, persist.WithKey("key-"+strconv.Itoa(i)))
	}
	_, err := o.SubmitAll(context.Background(), subs)
	return err
}

// inTiers spreads jobs over the priorities that have names.
func inTiers(i int) persist.Option {
	tiers := []persist.Priority{persist.Realtime, persist.High, persist.Normal, persist.Background, persist.Idle}
	return persist.WithPriority(tiers[i%len(tiers)])
}

// millGroups are the workloads that compare groups with none.
func millGroups() work {
	const jobs = 500
	flat := func(figure, called string) target { return timesLine(1.3, "mill-groups", figure, called) }
	w := work{
		name: "mill-groups", family: millFamily, by: []string{ours}, rounds: 1,
		how:   "As before, with 8 workers: 500 jobs without groups, of one group, and spread over many, each of them with a limit of 500.",
		lines: []line{{figure: "none", title: "dispatch_no_groups/500", unit: "ms"}},
	}
	numbers := []int{1, 10, 50, 100}
	for _, n := range numbers {
		title := fmt.Sprintf("dispatch_group_scaling/%d", n)
		if n == 1 {
			title = "dispatch_one_group/500 and dispatch_group_scaling/1"
		}
		l := line{figure: strconv.Itoa(n), title: title, unit: "ms", targets: []target{flat("none", "without groups")}}
		if n > 1 {
			l.targets = append(l.targets, flat("1", "of one group"))
		}
		w.lines = append(w.lines, l)
	}
	w.measure = func(peer, scale) (figures, error) {
		cfg := persist.Config{Workers: 8, GroupLimit: jobs}
		ways := []way{func() (figures, error) {
			return milled("none", cfg, true, nothingMilled, func(o *ourQueue) error { return o.numbered(jobs, nil) })
		}}
		for _, n := range numbers {
			ways = append(ways, func() (figures, error) {
				return milled(strconv.Itoa(n), cfg, true, nothingMilled, func(o *ourQueue) error {
					return o.numbered(jobs, nil, func(i int) persist.Option { return persist.WithGroup("group-" + strconv.Itoa(i%n)) })
				})
			})
		}
		return inTurn(millTurns, ways...)
	}
	return w
}

func measureMillFailures(peer, scale) (figures, error) {
	ways := []way{func() (figures, error) {
		return milled("permanent", persist.Config{Workers: 8}, true,
			func(context.Context, struct{}) error { return actor.Fatal(errBench) },
			func(o *ourQueue) error { return o.numbered(500, nil) })
	}}
	for figure, b := range map[string]policy.Backoff{
		"constant":    policy.NoBackoff(),
		"linear":      policy.Linear(1, 1, 1).WithJitter(policy.NoJitter),
		"exponential": policy.Exponential(1, 1).WithJitter(policy.NoJitter),
		"jitter":      policy.Exponential(1, 1),
	} {
		ways = append(ways, func() (figures, error) {
			var calls atomic.Int64
			cfg := persist.Config{Workers: 8, Defaults: []persist.Option{persist.WithMaxRetries(3), persist.WithBackoff(b)}}
			f, err := milled(figure, cfg, true, func(context.Context, struct{}) error { calls.Add(1); return errBench },
				func(o *ourQueue) error { return o.numbered(100, nil) })
			if n := calls.Load(); err == nil && n != 400 {
				err = fmt.Errorf("%d attempts, not 400", n)
			}
			return f, err
		})
	}
	return inTurn(millTurns, ways...)
}

func measureMillBackoff(_ peer, size scale) (figures, error) {
	got := figures{}
	for figure, b := range map[string]policy.Backoff{
		"constant":    policy.Constant(time.Second),
		"linear":      policy.Linear(time.Second, time.Second, time.Minute).WithJitter(policy.NoJitter),
		"exponential": policy.Exponential(time.Second, time.Hour).WithJitter(policy.NoJitter),
		"jitter":      policy.Exponential(time.Second, time.Hour),
	} {
		const many = 1000 // between two looks at the clock
		took, err := timed(size.spell/4, many, func() (time.Duration, error) {
			begin := time.Now()
			var last time.Duration
			for range many {
				for retry := range 20 {
					last = b.Pause(retry, last)
				}
			}
			sink.Store(uint64(last))
			return time.Since(begin), nil
		})
		if err != nil {
			return nil, err
		}
		got[figure] = took
	}
	return got, nil
}

// millHistory are the workloads that ask for what has ended.
func millHistory() work {
	lengths := []int{100, 1000, 5000}
	w := work{
		name: "mill-history", family: millFamily, by: []string{ours}, rounds: 1,
		how: "Jobs of five types without payloads have ended. The fifty that did last are asked for, of all types; and the hundred last of one type.",
	}
	for _, n := range lengths {
		w.lines = append(w.lines, line{figure: fmt.Sprintf("all-%d", n), title: fmt.Sprintf("history_query/%d", n), unit: "µs"})
	}
	for _, n := range lengths {
		w.lines = append(w.lines, line{figure: fmt.Sprintf("type-%d", n), title: fmt.Sprintf("history_by_type/%d", n), unit: "µs"})
	}
	w.measure = func(_ peer, size scale) (figures, error) {
		got := figures{}
		for _, n := range lengths {
			if err := withFolder(func(dir string) error { return measureHistory(dir, n, size.spell/6, got) }); err != nil {
				return nil, err
			}
		}
		return got, nil
	}
	return w
}

func measureHistory(dir string, n int, spell time.Duration, got figures) (err error) {
	var types []*persist.Type[struct{}]
	var handlers []persist.Handler
	for i := range 5 {
		t := persist.Define[struct{}]("type-"+strconv.Itoa(i), persist.WithoutKey())
		types, handlers = append(types, t), append(handlers, t.Handle(nothingMilled))
	}
	o, err := runQueue(persist.Config{
		Store: boltstore.File(filepath.Join(dir, "jobs.db"), boltstore.Options{}), Workers: working, Handlers: handlers,
	}, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.stop()) }()
	subs := make([]persist.Submission, n)
	for i := range subs {
		subs[i] = types[i%len(types)].New(struct{}{})
	}
	if _, err := o.SubmitAll(context.Background(), subs); err != nil {
		return err
	}
	if err := o.await(0); err != nil {
		return err
	}
	for figure, query := range map[string]persist.PastQuery{
		"all": {Limit: 50}, "type": {Type: types[0].Name(), Limit: 100},
	} {
		want := min(n, query.Limit)
		if query.Type != "" {
			want = min(n/len(types), query.Limit)
		}
		took, err := timed(spell, 1, func() (time.Duration, error) {
			begin := time.Now()
			jobs, err := o.Past(context.Background(), query)
			took := time.Since(begin)
			if err == nil && len(jobs) != want {
				err = fmt.Errorf("%d jobs in history, not %d", len(jobs), want)
			}
			return took, err
		})
		if err != nil {
			return err
		}
		got[fmt.Sprintf("%s-%d", figure, n)] = micros(took)
	}
	return nil
}
