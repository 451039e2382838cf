// Durable jobs sends letters. A letter is a job: it is on disk when it was submitted, it
// is tried again after a failure, and when it has failed as often as it may it is a dead
// letter, which can be revived when the reason is gone. In the middle the queue is
// stopped and another one goes on with the same file, as the next process would.
//
//	go run ./examples/durable_jobs
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/boltstore"
	"github.com/taskvisor/taskvisor/policy"
)

// letter is the input of a job. It is stored as JSON.
type letter struct {
	To   string `json:"to"`
	Text string `json:"text"`
}

// sending is the type of the jobs, known to those that submit as well as to those that
// handle. What is not said here has a default.
var sending = persist.Define[letter]("send",
	persist.WithMaxRetries(2), // three attempts
	persist.WithBackoff(policy.Exponential(100*time.Millisecond, time.Second).WithJitter(policy.NoJitter)),
	persist.WithTimeout(10*time.Second),
)

func main() {
	dir, err := os.MkdirTemp("", "taskvisor-")
	if err == nil {
		err = run(context.Background(), os.Stdout, filepath.Join(dir, "letters.db"))
	}
	if err = cmp.Or(err, os.RemoveAll(dir)); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer, db string) error {
	p := &post{say: log.New(out, "", 0)}

	var dead persist.ID
	err := p.open(ctx, db, func(ctx context.Context, q *persist.Queue) (err error) {
		p.say.Print("The first process:")
		if err := p.deliver(ctx, q, letter{To: "ada", Text: "hello"}); err != nil {
			return err
		}
		// A retry may help. It does here: the second attempt finds the road.
		if err := p.deliver(ctx, q, letter{To: "bob", Text: "hello"}); err != nil {
			return err
		}
		// What no retry can mend is not retried.
		if err := p.deliver(ctx, q, letter{Text: "hello"}); err != nil {
			return err
		}
		// A bridge is out for longer than three attempts take.
		p.bridgeOut.Store(true)
		if err := p.deliver(ctx, q, letter{To: "eve", Text: "hello"}); err != nil {
			return err
		}
		if dead, err = p.deadLetter(ctx, q); err != nil {
			return err
		}
		// And one is to be sent later. It is asked why it does not run.
		later, err := sending.Submit(ctx, q, letter{To: "zoe", Text: "happy new year"}, persist.WithDelay(time.Hour), persist.WithLabel("for zoe"))
		if err != nil {
			return err
		}
		return p.why(ctx, q, later.ID)
	})
	if err != nil {
		return err
	}

	p.bridgeOut.Store(false)
	return p.open(ctx, db, func(ctx context.Context, q *persist.Queue) error {
		p.say.Print("The next process, with the same file:")
		if err := q.Revive(ctx, dead); err != nil { // with all its retries again
			return err
		}
		if err := p.await(ctx, q, dead); err != nil {
			return err
		}
		// The error says what could not be done.
		if err := q.Revive(ctx, dead); errors.Is(err, persist.ErrCompleted) {
			p.say.Printf("  once more? %v", err)
		}
		counts := q.Counts()
		p.say.Printf("  %d jobs have ended, %d waits for its time", counts[persist.Ended], counts[persist.Delayed])
		return nil
	})
}

// post carries letters, in good weather.
type post struct {
	say       *log.Logger
	bridgeOut atomic.Bool
}

// open runs a queue for as long as do takes.
func (p *post) open(ctx context.Context, db string, do func(context.Context, *persist.Queue) error) error {
	q := persist.New(persist.Config{
		Store:    boltstore.File(db, boltstore.Options{}),
		Handlers: []persist.Handler{sending.Handle(p.send)},
	})
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- q.Run(ctx) }()
	err := q.WaitReady(ctx)
	if err == nil {
		err = do(ctx, q)
	}
	stop()
	return errors.Join(err, <-ended)
}

// send is the handler. Since a process may die between what it does and the queue's
// knowing that, it may run again for a letter that has arrived.
func (p *post) send(ctx context.Context, l letter) error {
	attempt, _ := persist.FromContext(ctx)
	switch {
	case l.To == "":
		return actor.Fatal(errors.New("nobody to send it to"))
	case l.To == "bob" && attempt.Number() == 1:
		return errors.New("lost the way")
	case l.To == "eve" && p.bridgeOut.Load():
		return errors.New("the bridge is out")
	}
	return nil
}

// deliver submits a letter and tells what has become of it.
func (p *post) deliver(ctx context.Context, q *persist.Queue, l letter) error {
	result, err := sending.Submit(ctx, q, l) // it is on disk when this returns
	if err != nil {
		return err
	}
	return p.await(ctx, q, result.ID)
}

// await waits for the end of a job, which is on disk too.
func (p *post) await(ctx context.Context, q *persist.Queue, id persist.ID) error {
	j, err := q.Await(ctx, id)
	if err != nil {
		return err
	}
	last := ""
	if j.Last != nil {
		last = fmt.Sprintf(", the last error was %q", j.Last.Text)
	}
	p.say.Printf("  letter %d: %v after %s%s", j.ID, j.End.Kind, times(j.Attempts), last)
	return nil
}

func times(attempts int) string {
	if attempts == 1 {
		return "1 attempt"
	}
	return fmt.Sprintf("%d attempts", attempts)
}

// deadLetter returns the latest of the dead letters.
func (p *post) deadLetter(ctx context.Context, q *persist.Queue) (persist.ID, error) {
	dead, err := q.DeadLetters(ctx, 0, 0)
	if err != nil {
		return 0, err
	}
	for _, j := range dead {
		p.say.Printf("  dead letters: %d, to be revived when there is a bridge again", j.ID)
	}
	return dead[0].ID, nil
}

// why tells what a job waits for.
func (p *post) why(ctx context.Context, q *persist.Queue, id persist.ID) error {
	wait, err := q.Why(ctx, id)
	if err == nil {
		p.say.Printf("  letter %d is %v: it waits for its %v", id, wait.Phase, wait.Reason)
	}
	return err
}
