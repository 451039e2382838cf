package persist_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
)

// Jobs that wait to be told to end are cancelled while others take their places: none is begun
// that nobody tells.
func TestAJobThatIsCancelledWhileItIsLetInDoesNotRunOn(t *testing.T) {
	const jobs, callers = 3000, 8
	q := persist.New(persist.Config{Store: memstore.New(), Workers: 4, Handlers: []persist.Handler{
		chore.Handle(func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }),
	}})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- q.Run(ctx) }()
	if err := q.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	results, err := chore.SubmitAll(ctx, q, make([]string, jobs))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for at := i; at < jobs; at += callers {
				if err := q.Cancel(ctx, results[at].ID); err != nil && !errors.Is(err, persist.ErrEnded) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	same(t, "jobs that ended", q.Counts()[persist.Ended], jobs)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
