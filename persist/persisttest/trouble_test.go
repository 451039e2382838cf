package persisttest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/persist"
)

func TestARestartLeavesWhatWasStored(t *testing.T) {
	inBoth(t, func(t *testing.T) {
		q := New(t, handling(succeed))
		done, waits := q.Add(notes.New(note{1})), q.Add(notes.New(note{2}))
		q.Work(done)
		before := q.Queue
		q.Restart()
		if q.Queue == before {
			t.Error("it is the same queue")
		}
		q.AssertEnded(done, persist.Completed)
		if w := q.why(waits); w.Phase != persist.Ready {
			t.Error(w)
		}
		q.Work(waits)
		if n := q.Events.Count(events.StoreOpened); n != 2 {
			t.Errorf("%d starts are recorded", n)
		}
	})
}

func TestACrashKeepsWhatWasStoredAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var causes []error
		lives := 0
		q := New(t, handling(func(ctx context.Context, _ note) error {
			if lives++; lives > 1 {
				return nil
			}
			<-ctx.Done()
			causes = append(causes, context.Cause(ctx))
			return nil // which nobody hears
		}))
		id := q.Add(notes.New(note{1}))
		q.Resume()
		q.settle()
		began := time.Now()
		q.CrashAndReopen()
		if len(causes) != 1 || !errors.Is(causes[0], ErrCrash) {
			t.Errorf("the attempt was told %v", causes)
		}
		q.DrainAll()
		q.AssertEnded(id, persist.Completed)
		if lives != 2 {
			t.Errorf("%d attempts", lives)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %v", took)
		}
		if n := q.Events.Count(events.JobCompleted); n != 1 {
			t.Errorf("%d completions", n)
		}
	})
}

func TestAHeldQueueIsHeldAfterACrash(t *testing.T) {
	inBoth(t, func(t *testing.T) {
		q := New(t, handling(succeed))
		q.Add(notes.New(note{1}))
		q.CrashAndReopen()
		q.settle()
		if n := q.Counts()[persist.Ready]; n != 1 {
			t.Errorf("%d jobs are ready", n)
		}
		q.DrainAll()
		q.AssertEnded(1, persist.Completed)
	})
}

func TestAHandlerThatOutlivesACrashIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		defer close(gate)
		expect(t, verdict(func(t testing.TB) {
			q := New(t, handling(func(context.Context, note) error { <-gate; return nil }))
			q.Add(notes.New(note{1}))
			q.Resume()
			q.settle()
			q.CrashAndReopen()
		}), "a handler has not returned within", "after the crash")
	})
}

func TestCommitsFailAsOrdered(t *testing.T) {
	inBoth(t, func(t *testing.T) {
		q := New(t, handling(succeed))
		q.FailCommits(1, errBoom)
		if _, err := notes.Submit(t.Context(), q.Queue, note{1}); !errors.Is(err, errBoom) {
			t.Errorf("the submission: %v", err)
		}
		id := q.Add(notes.New(note{1}))
		q.FailCommits(2, errBoom) // what follows the attempt is tried again
		q.Work(id)
		q.AssertEnded(id, persist.Completed)
	})
}

func TestAStoreOfAnotherKindCannotBeMadeToFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		expect(t, verdict(func(t testing.TB) {
			q := &Queue{t: t, cfg: persist.Config{Store: broken{}}}
			q.FailCommits(1, errBoom)
		}), "only a memstore.Memory can be made to fail")
	})
}

func TestEveryAttemptIsRunTwice(t *testing.T) {
	for _, row := range []struct {
		sentence string
		second   func(ctx context.Context) error
		ends     persist.Ending
		says     []string
	}{
		{"one that may", func(context.Context) error { return nil }, persist.Completed, nil},
		{"one that fails then", func(context.Context) error { return errBoom }, persist.Completed,
			[]string{"job 1 (note) has completed, and failed when it ran again as after a crash: boom"}},
		{"one that panics then", func(context.Context) error { panic("ouch") }, persist.Completed,
			[]string{"job 1 (note) has completed, and panicked when it ran again as after a crash"}},
		{"one that cancels itself then", func(context.Context) error { return persist.Cancel(nil) }, persist.Cancelled, nil},
		{"one that is put off then", func(context.Context) error { return persist.Snooze(time.Hour) }, persist.Completed, nil},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				runs := 0
				said := verdict(func(t testing.TB) {
					q := New(t, handling(func(ctx context.Context, _ note) error {
						if runs++; runs == 2 {
							return row.second(ctx)
						}
						return nil
					}), RunTwice())
					id := q.Add(notes.New(note{1}))
					q.DrainAll()
					q.AssertEnded(id, row.ends)
				})
				expect(t, said, row.says...)
				if strings.Contains(said, "\n\n") {
					t.Errorf("it is said more than once:\n%s", said)
				}
				if runs < 2 {
					t.Errorf("%d runs", runs)
				}
			})
		})
	}
}

func TestAFailureIsNotRunTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := 0
		q := New(t, handling(func(context.Context, note) error { runs++; return errBoom }), RunTwice())
		q.Work(q.Add(notes.New(note{1})))
		if runs != 1 {
			t.Errorf("%d runs", runs)
		}
	})
}
