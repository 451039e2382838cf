package persist_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
	"github.com/taskvisor/taskvisor/policy"
)

// Mail is the input of a type of jobs.
type Mail struct{ To, Text string }

var sendMail = persist.Define[Mail]("send_mail", persist.WithMaxRetries(2), persist.WithBackoff(policy.Constant(time.Millisecond)))

// run runs a queue until the example is over.
func run(cfg persist.Config) (q *persist.Queue, stop func()) {
	cfg.Store = memstore.New() // a program has boltstore.File("jobs.db", boltstore.Options{})
	q = persist.New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- q.Run(ctx) }()
	if err := q.WaitReady(ctx); err != nil {
		log.Fatal(err)
	}
	return q, func() { cancel(); <-ended }
}

func Example() {
	q, stop := run(persist.Config{Handlers: []persist.Handler{
		sendMail.Handle(func(_ context.Context, m Mail) error { fmt.Println("to", m.To); return nil }),
	}})
	defer stop()

	ctx := context.Background()
	result, err := sendMail.Submit(ctx, q, Mail{To: "ann", Text: "hello"}, persist.WithPriority(persist.High))
	if err != nil {
		log.Fatal(err) // nothing was stored
	}
	job, err := q.Await(ctx, result.ID)
	fmt.Println(result.Kind, result.ID, job.End.Kind, err)
	// Output:
	// to ann
	// inserted 1 completed <nil>
}

func ExampleQueue_SubmitAll() {
	q, stop := run(persist.Config{})
	defer stop()

	results, err := q.SubmitAll(context.Background(), []persist.Submission{
		sendMail.New(Mail{To: "ann"}, persist.WithKey("1")),
		sendMail.New(Mail{To: "bob"}, persist.WithKey("2")),
		sendMail.New(Mail{To: "ann, again"}, persist.WithKey("1")),
	}, persist.WithGroup("smtp.example.org"))
	for _, r := range results {
		fmt.Println(r.Kind, r.ID)
	}
	fmt.Println(err)
	// Output:
	// duplicate 2
	// inserted 1
	// inserted 2
	// <nil>
}

func ExampleQueue_Why() {
	q, stop := run(persist.Config{})
	defer stop()

	r, _ := sendMail.Submit(context.Background(), q, Mail{To: "ann"})
	why, _ := q.Why(context.Background(), r.ID)
	fmt.Println(why.Phase, why.Reason)
	fmt.Println(why)
	// Output:
	// ready handler
	// there is no handler for type "send_mail"
}

func ExampleQueue_Revive() {
	smtp := errors.New("connection refused")
	q, stop := run(persist.Config{Handlers: []persist.Handler{
		sendMail.Handle(func(context.Context, Mail) error { return smtp }),
	}})
	defer stop()

	ctx := context.Background()
	r, _ := sendMail.Submit(ctx, q, Mail{To: "ann"})
	_, _ = q.Await(ctx, r.ID)
	dead, _ := q.DeadLetters(ctx, 0, 10)
	for _, job := range dead {
		fmt.Println(job.ID, job.Failures, job.Last.Text)
	}
	smtp = nil // mended
	fmt.Println(q.Revive(ctx, r.ID))
	job, _ := q.Await(ctx, r.ID)
	fmt.Println(job.ID, job.End.Kind)
	// Output:
	// 1 3 connection refused
	// <nil>
	// 1 completed
}

func ExampleQueue_Explain() {
	media := &persist.Domain{Name: "media", Defaults: []persist.Option{persist.WithPriority(persist.Background)}}
	resize := persist.DefineIn[string](media, "resize", persist.WithTimeout(time.Minute))
	q, stop := run(persist.Config{Types: []persist.Known{resize}})
	defer stop()

	settings, err := q.Explain("media/resize", persist.WithMaxRetries(10))
	for _, s := range settings {
		if s.From != "default" {
			fmt.Println(s.Name, s.Value, "from", s.From)
		}
	}
	fmt.Println(err)
	// Output:
	// priority background from domain
	// max_retries 10 from submission
	// timeout 1m0s from type
	// <nil>
}

func ExampleStateOf() {
	q, stop := run(persist.Config{
		State: []any{log.Default()},
		Handlers: []persist.Handler{sendMail.Handle(func(ctx context.Context, _ Mail) error {
			_, ok := persist.StateOf[*log.Logger](ctx)
			fmt.Println(ok)
			return nil
		})},
	})
	defer stop()
	r, _ := sendMail.Submit(context.Background(), q, Mail{})
	_, _ = q.Await(context.Background(), r.ID)
	// Output: true
}

func ExampleSnooze() {
	tries := 0
	q, stop := run(persist.Config{Handlers: []persist.Handler{sendMail.Handle(func(ctx context.Context, _ Mail) error {
		at, _ := persist.FromContext(ctx)
		fmt.Println("attempt", at.Number())
		switch tries++; tries {
		case 1:
			return persist.Snooze(time.Millisecond) // not now; this does not count
		case 2:
			return actor.RetryAfter(errors.New("busy"), time.Millisecond) // this does
		}
		return nil
	})}})
	defer stop()
	r, _ := sendMail.Submit(context.Background(), q, Mail{})
	_, _ = q.Await(context.Background(), r.ID)
	// Output:
	// attempt 1
	// attempt 1
	// attempt 2
}

func ExampleRaw() {
	q, stop := run(persist.Config{Handlers: []persist.Handler{
		persist.HandleRaw("import", func(_ context.Context, payload []byte) error { fmt.Printf("%s\n", payload); return nil }),
	}})
	defer stop()
	r, _ := q.Submit(context.Background(), persist.Raw("import", []byte("a,b,c")))
	_, _ = q.Await(context.Background(), r.ID)
	// Output: a,b,c
}

func ExampleProgress() {
	halfway := make(chan bool)
	q, stop := run(persist.Config{Handlers: []persist.Handler{sendMail.Handle(func(ctx context.Context, _ Mail) error {
		persist.Progress(ctx, 0.5, "half of it")
		halfway <- true
		<-halfway
		return nil
	})}})
	defer stop()
	r, _ := sendMail.Submit(context.Background(), q, Mail{})
	<-halfway
	for _, job := range q.Active() {
		fmt.Println(job.ID, job.Progress, job.Message)
	}
	halfway <- true
	_, _ = q.Await(context.Background(), r.ID)
	// Output: 1 0.5 half of it
}
