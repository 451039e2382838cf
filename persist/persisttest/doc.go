// Package persisttest helps to test jobs, and what submits them.
//
// [New] runs a queue in memory that is held: it takes jobs in, and runs none before the test
// says so. So there is time to look at what was submitted.
//
//	func TestAnOrderIsPaidAndConfirmed(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			bank, post := &fakeBank{}, &fakePost{}
//			q := persisttest.New(t, persist.Config{Handlers: shop.Handlers(bank, post)}, persisttest.RunTwice())
//
//			order := q.Add(shop.Order.New(shop.OrderArgs{Number: 7, Mail: "ann@example.org"}))
//			q.Work(order) // one attempt of this job, and of no other
//			q.AssertEnded(order, persist.Completed)
//			persisttest.AssertSubmitted(q, shop.Confirm, func(c shop.ConfirmArgs) bool { return c.Number == 7 })
//
//			q.DrainAll() // with all retries and delays
//			if bank.payments != 1 || post.letters != 1 {
//				t.Errorf("%d payments, %d letters", bank.payments, post.letters)
//			}
//		})
//	}
//
// [Work] is for the test of a single handler:
//
//	job := persisttest.Work(t, shop.Order.New(args), handler)
//
// # What can go wrong
//
// A job may run more than once: the process may die when its handler has done its work, and
// before that is stored. [RunTwice] has that happen to every job, as far as the handler can
// tell. [Queue.CrashAndReopen] and [Queue.Restart] end the queue in the midst of a test,
// [Queue.FailCommits] makes its store fail, and [CrashEverywhere] plays a scenario with a crash
// at every point where it makes a difference to what is stored.
//
// # Time
//
// In a testing/synctest bubble time is virtual: hours of backoff take none. Outside of one the
// same can be done, but what is put off is waited for. In a bubble no handler may wait for what
// is outside: a real socket stops the clock.
package persisttest
