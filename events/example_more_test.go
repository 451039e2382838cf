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

// A subscriber is given what is published after Subscribe has returned. Its name is
// unique among those of its bus.
func ExampleBus_Subscribe() {
	var bus events.Bus
	printer := events.Subscriber{
		Name:    "printer",
		Handler: events.HandlerFunc(func(e events.Event) { fmt.Println(e.Kind, e.Path) }),
	}
	bus.Publish(events.Event{Kind: events.TaskAdded, Path: "/app/db"}) // too early
	if _, err := bus.Subscribe(printer); err != nil {
		fmt.Println(err)
		return
	}
	bus.Publish(events.Event{Kind: events.TaskReady, Path: "/app/db"})

	_, err := bus.Subscribe(printer)
	_ = bus.Close(context.Background())
	fmt.Println(errors.Is(err, events.ErrDuplicate))
	// Output:
	// task_ready /app/db
	// true
}

// Drain waits until what was published has been handled, and leaves the bus open.
func ExampleBus_Drain() {
	var bus events.Bus
	count := 0
	_, err := bus.Subscribe(events.Subscriber{
		Name:    "counter",
		Handler: events.HandlerFunc(func(events.Event) { count++ }),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), events.DefaultDrain)
	defer cancel()
	for range 2 {
		bus.Publish(events.Event{Kind: events.TaskAdded, Path: "/app/db"})
		fmt.Println(bus.Drain(ctx), count)
	}
	_ = bus.Close(ctx)
	// Output:
	// <nil> 1
	// <nil> 2
}

// Close has everything handled that was published, and then nothing more.
func ExampleBus_Close() {
	var bus events.Bus
	printer := events.Subscriber{
		Name:    "printer",
		Handler: events.HandlerFunc(func(e events.Event) { fmt.Println(e.Path) }),
	}
	if _, err := bus.Subscribe(printer); err != nil {
		fmt.Println(err)
		return
	}
	bus.Publish(events.Event{Kind: events.TaskAdded, Path: "/app/db"})

	ctx, cancel := context.WithTimeout(context.Background(), events.DefaultDrain)
	defer cancel()
	fmt.Println(bus.Close(ctx))

	bus.Publish(events.Event{Kind: events.TaskAdded, Path: "/app/web"}) // does nothing
	_, err := bus.Subscribe(printer)
	fmt.Println(errors.Is(err, events.ErrClosed))
	// Output:
	// /app/db
	// <nil>
	// true
}

// Closing a subscription ends it alone: its name is free, and the bus goes on.
func ExampleSubscription_Close() {
	var bus events.Bus
	printer := events.Subscriber{
		Name:    "printer",
		Handler: events.HandlerFunc(func(e events.Event) { fmt.Println(e.Path) }),
	}
	sub, err := bus.Subscribe(printer)
	if err != nil {
		fmt.Println(err)
		return
	}
	bus.Publish(events.Event{Kind: events.TaskAdded, Path: "/app/db"})

	ctx := context.Background()
	fmt.Println(sub.Close(ctx)) // returns when /app/db has been printed
	bus.Publish(events.Event{Kind: events.TaskAdded, Path: "/app/web"})

	_, err = bus.Subscribe(printer)
	fmt.Println(err)
	_ = bus.Close(ctx)
	// Output:
	// /app/db
	// <nil>
	// <nil>
}

// Statistics say who is too slow, and what that costs.
func ExampleBus_Stats() {
	var bus events.Bus
	gate := make(chan bool)
	_, err := bus.Subscribe(events.Subscriber{
		Name: "slow", Queue: 2,
		Handler: events.HandlerFunc(func(events.Event) { <-gate }),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 5 {
		bus.Publish(events.Event{Kind: events.TaskAdded, Path: "/app/db"})
	}
	for _, s := range bus.Stats() {
		fmt.Println(s.Name, "queued", s.Queued, "lost", s.Lost)
	}
	close(gate)
	_ = bus.Close(context.Background())
	// Output: slow queued 2 lost 3
}

// Traces finds the stacks in an error, however deeply it is wrapped.
func ExampleTraces() {
	caught := &events.HandlerPanic{
		Subscriber: "metrics",
		Value:      "no such label",
		Stack:      []byte("main.count()\n\t/src/metrics.go:12\n"),
	}
	err := fmt.Errorf("metrics are incomplete: %w", caught)
	fmt.Println(err)
	fmt.Print(events.Traces(err))
	fmt.Printf("%q\n", events.Traces(errors.New("no stack in here")))
	// Output:
	// metrics are incomplete: subscriber "metrics" panicked: no such label
	// main.count()
	// 	/src/metrics.go:12
	// ""
}

// In a log, an event is a group of those of its fields that say something.
func ExampleEvent_LogValue() {
	logger := slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == slog.LevelKey {
				return slog.Attr{}
			}
			return a
		},
	}))
	logger.Warn("a task has failed", "task", events.Event{
		Kind: events.AttemptEnded, Path: "/app/db", Attempt: 2,
		Exit: policy.Failed, Err: errors.New("connection refused"),
	})
	// Output: {"msg":"a task has failed","task":{"kind":"attempt_ended","path":"/app/db","attempt":2,"exit":"failed","elapsed":0,"error":"connection refused"}}
}
