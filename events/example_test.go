package events_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
)

func ExampleBus() {
	var bus events.Bus
	_, err := bus.Subscribe(events.Subscriber{
		Name:    "printer",
		Handler: events.HandlerFunc(func(e events.Event) { fmt.Println(e) }),
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	// A publisher asks first, for nobody may be listening.
	if bus.Wants(events.AttemptStarted) {
		bus.Publish(events.Event{Kind: events.AttemptStarted, Path: "/app/db", ID: 1, Attempt: 1})
	}
	bus.Publish(events.Event{
		Kind: events.AttemptEnded, Path: "/app/db", ID: 1, Attempt: 1,
		Exit: policy.Failed, Err: errors.New("connection refused"),
	})

	ctx, cancel := context.WithTimeout(context.Background(), events.DefaultDrain)
	defer cancel()
	if err := bus.Close(ctx); err != nil {
		fmt.Println(err)
	}
	// Output:
	// #1 attempt_started /app/db id=1 attempt=1
	// #2 attempt_ended /app/db id=1 attempt=1 exit=failed elapsed=0s error="connection refused"
}

func ExampleSubscriber() {
	var bus events.Bus
	failures := 0
	sub, err := bus.Subscribe(events.Subscriber{
		Name:  "alarm",
		Kinds: []events.Kind{events.TaskFinished, events.IntensityExceeded},
		Queue: 64,
		Handler: events.HandlerFunc(func(e events.Event) {
			switch {
			case e.Kind == events.EventsLost:
				fmt.Printf("%d events were lost\n", e.Count)
			case e.Outcome == events.Failed:
				failures++
			}
		}),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	bus.Publish(events.Event{Kind: events.TaskAdded, Path: "/app/db"}) // not for the alarm
	bus.Publish(events.Event{Kind: events.TaskFinished, Path: "/app/db", Outcome: events.Failed})
	bus.Publish(events.Event{Kind: events.TaskFinished, Path: "/app/http", Outcome: events.Completed})

	// Close returns when everything queued has been handled.
	if err := sub.Close(context.Background()); err != nil {
		fmt.Println(err)
	}
	fmt.Println(sub.Stats().Delivered, "delivered,", failures, "failed")
	// Output: 2 delivered, 1 failed
}

func ExampleHandlerFunc() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
	log := events.HandlerFunc(func(e events.Event) {
		logger.Info(e.Kind.String(), "event", e)
	})

	log.Handle(events.Event{Seq: 1, Kind: events.TaskReady, Path: "/app/db", ID: 1})
	// Output: level=INFO msg=task_ready event.seq=1 event.kind=task_ready event.path=/app/db event.id=1
}

func ExampleKinds() {
	for _, k := range events.Kinds()[:3] {
		fmt.Println(k)
	}
	// Output:
	// supervisor_started
	// supervisor_stopping
	// supervisor_stopped
}
