package persisttest_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/persisttest"
	"github.com/taskvisor/taskvisor/policy"
)

// The program under test: an order is paid, and confirmed by a letter a day later.
type (
	order  struct{ Number int }
	letter struct{ Order int }
)

var (
	pay  = persist.Define[order]("pay", persist.WithBackoff(policy.Constant(time.Minute)))
	post = persist.Define[letter]("post")
)

// world is what is outside of the program, as a fake. It recognises what it is asked twice.
type world struct {
	down bool // the bank does not answer

	mu       sync.Mutex // guards what follows: several jobs run at a time
	payments map[int]bool
	letters  map[int]bool
}

func (w *world) pay(order int)  { w.mu.Lock(); defer w.mu.Unlock(); w.payments[order] = true }
func (w *world) post(order int) { w.mu.Lock(); defer w.mu.Unlock(); w.letters[order] = true }

func newWorld() *world { return &world{payments: map[int]bool{}, letters: map[int]bool{}} }

func shop(w *world) persist.Config {
	return persist.Config{Handlers: []persist.Handler{
		pay.Handle(func(ctx context.Context, o order) error {
			if w.down {
				return errors.New("the bank does not answer")
			}
			w.pay(o.Number)
			at, _ := persist.FromContext(ctx)
			_, err := post.Submit(ctx, at.Queue(), letter{o.Number}, persist.WithDelay(24*time.Hour))
			return err
		}),
		post.Handle(func(_ context.Context, l letter) error {
			w.post(l.Order)
			return nil
		}),
	}}
}

// t is what the testing package gives to a test; an example has none.
var t *testing.T

// One attempt, and a look at what it has submitted.
func ExampleNew() {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		q := persisttest.New(t, shop(w), persisttest.RunTwice())
		id := q.Add(pay.New(order{7}))
		persisttest.AssertNotSubmitted(q, post, nil)

		q.Work(id)
		q.AssertEnded(id, persist.Completed)
		persisttest.AssertSubmitted(q, post, func(l letter) bool { return l.Order == 7 })
		fmt.Println(persisttest.Inputs(q, post), len(w.letters))
	})
	// Prints: [{7}] 0
}

// One job for one handler.
func ExampleWork() {
	job := persisttest.Work(t, post.New(letter{7}), post.Handle(func(context.Context, letter) error {
		return errors.New("no stamps")
	}))
	fmt.Println(job.Attempts, job.Last.Text, job.Ended())
	// Prints: 1 no stamps false
}

// An attempt fails, and the next does not. The minute between them takes no time.
func ExampleQueue_WorkNext() {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		q := persisttest.New(t, shop(w))
		q.Add(pay.New(order{7}))
		w.down = true
		fmt.Println(q.WorkNext().Last.Text)
		w.down = false
		fmt.Println(q.WorkNext().End.Kind)
	})
	// Prints: the bank does not answer
	// completed
}

// What can run now has run, and what is for tomorrow is left.
func ExampleQueue_Drain() {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		q := persisttest.New(t, shop(w))
		for n := range 3 {
			q.Add(pay.New(order{n}))
		}
		q.Drain()
		fmt.Println(len(w.payments), len(w.letters), len(q.Jobs("post")))
	})
	// Prints: 3 0 3
}

// A day passes in no time.
func ExampleQueue_DrainAll() {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		q := persisttest.New(t, shop(w))
		q.Add(pay.New(order{7}))
		q.DrainAll()
		fmt.Println(w.letters)
	})
	// Prints: map[7:true]
}

// The queue runs by itself, as in the program, and is held again.
func ExampleQueue_Resume() {
	w := newWorld()
	q := persisttest.New(t, shop(w)) // no bubble: time is real
	id := q.Add(pay.New(order{7}))
	q.Resume()
	_, err := q.Await(t.Context(), id)
	q.Hold()
	fmt.Println(err, w.payments)
	// Prints: <nil> map[7:true]
}

// What was stored is there after a restart.
func ExampleQueue_Restart() {
	q := persisttest.New(t, shop(newWorld()))
	id := q.Add(pay.New(order{7}))
	q.Restart()
	q.Work(id)
	q.AssertEnded(id, persist.Completed)
}

// What was stored is there after a crash, too.
func ExampleQueue_CrashAndReopen() {
	q := persisttest.New(t, shop(newWorld()))
	id := q.Add(pay.New(order{7}))
	q.CrashAndReopen()
	q.Work(id)
	q.AssertEnded(id, persist.Completed)
}

// The program is told that its disk is full, and submits again.
func ExampleQueue_FailCommits() {
	q := persisttest.New(t, shop(newWorld()))
	q.FailCommits(1, persist.ErrFull)
	_, err := pay.Submit(t.Context(), q.Queue, order{7})
	fmt.Println(err)
	q.Add(pay.New(order{7}))
	// Prints: submit: the store is full
}

// A handler that counts is found out.
func ExampleRunTwice() {
	balance := 0
	q := persisttest.New(t, persist.Config{Handlers: []persist.Handler{
		pay.Handle(func(context.Context, order) error { balance++; return nil }),
	}}, persisttest.RunTwice())
	q.Add(pay.New(order{7}))
	q.Drain()
	fmt.Println(balance)
	// Prints: 2
}

// Whenever the process dies, an order is paid and confirmed.
func ExampleCrashEverywhere() {
	persisttest.CrashEverywhere(t, func() persisttest.Scenario {
		w := newWorld()
		return persisttest.Scenario{
			Config: shop(w),
			Act: func(ctx context.Context, q *persist.Queue) error {
				_, err := pay.Submit(ctx, q, order{7})
				return err
			},
			Check: func(t *testing.T, _ *persisttest.Queue) {
				if !w.payments[7] || !w.letters[7] {
					t.Errorf("paid: %v, confirmed: %v", w.payments, w.letters)
				}
			},
		}
	})
}
