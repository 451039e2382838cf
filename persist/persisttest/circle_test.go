package persisttest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/policy"
)

// putOff is a handler that never comes to an end.
func putOff(by time.Duration) func(context.Context, note) error {
	return func(context.Context, note) error { return persist.Snooze(by) }
}

// followed is a handler that has each job followed by another.
func followed(ctx context.Context, n note) error {
	a, _ := persist.FromContext(ctx)
	_, err := notes.Submit(ctx, a.Queue(), note{n.N + 1})
	return err
}

func TestJobsThatGoRoundInCirclesAreAFailure(t *testing.T) {
	endless := []persist.Option{persist.WithBackoff(policy.NoBackoff()), persist.WithMaxRetries(policy.Unlimited)}
	for _, row := range []struct {
		sentence string
		handler  func(context.Context, note) error
		opts     []persist.Option
		then     func(q *Queue)
		says     []string
	}{
		{"one that is put off for no time", putOff(0), nil, (*Queue).DrainAll,
			[]string{"jobs go round in circles: 102 attempts have begun", "job 1 (note): 102", "the jobs that have not ended:", "job_snoozed"}},
		{"one that is put off for a short time", putOff(time.Nanosecond), nil, (*Queue).DrainAll,
			[]string{"jobs go round in circles", "job 1 (note): 102"}},
		{"one that is retried without a pause", fail, endless, (*Queue).DrainAll,
			[]string{"jobs go round in circles", "job 1 (note): 102", "(boom)"}},
		{"some that follow each other", followed, nil, (*Queue).DrainAll,
			[]string{"jobs go round in circles", "job 102 (note): 1", "job 101 (note): 1", "and 77 others"}},
		{"without a wait for what is put off", putOff(0), nil, (*Queue).Drain, []string{"jobs go round in circles", "job 1 (note): 102"}},
		{"in a queue that runs by itself", putOff(0), nil, func(q *Queue) { q.Resume(); q.AssertEnded(1, persist.Completed) },
			[]string{"jobs go round in circles", "job 1 (note): "}},
		{"but not if the test takes each step", putOff(0), nil, func(q *Queue) {
			for range 2 * q.AttemptLimit {
				q.WorkNext()
			}
		}, nil},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				expect(t, verdict(func(t testing.TB) {
					q := New(t, handling(row.handler))
					q.AttemptLimit = 100
					q.Add(notes.New(note{1}, row.opts...))
					row.then(q)
				}), row.says...)
			})
		})
	}
}

func TestWhatComesToAnEndIsNoCircle(t *testing.T) {
	inBoth(t, func(t *testing.T) {
		left := 20
		cfg := handling(func(_ context.Context, n note) error {
			if n.N > 0 {
				return nil
			}
			if left--; left > 0 {
				return persist.Snooze(0)
			}
			return nil
		})
		cfg.Workers = 1
		q := New(t, cfg)
		q.AttemptLimit = 20
		for range 3 {
			left = 20
			for n := range 100 { // each of them may have one
				q.Add(notes.New(note{n}))
			}
			q.DrainAll()
		}
		if n := q.Counts()[persist.Ended]; n != 300 {
			t.Errorf("%d have ended", n)
		}
	})
}
