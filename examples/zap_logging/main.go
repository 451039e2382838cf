// Zap logging shows a tree in the log of a program that uses zap. The database is away
// for a while: its task fails eleven times, of which the log has a warning, an error when
// it goes on, and a line when it is over. The worker panics twice in the same place, and
// the log has one stack.
//
//	go run ./examples/zap_logging
package main

import (
	"context"
	"errors"
	"io"
	"log"
	"os"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/zaplog"
	"github.com/taskvisor/taskvisor/supervisor"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) error {
	logger := zap.New(zapcore.NewCore(
		zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig()),
		zapcore.AddSync(out),
		zap.InfoLevel, // the course of things is Debug, and not of interest here
	))
	// Run gives the subscribers the time to handle what is queued. After that the
	// logger has everything, and to sync it is up to its owner.
	defer func() { _ = logger.Sync() }()

	return supervisor.New(supervisor.Config{
		Name:         "app",
		EndWhenEmpty: true,
		Subscribers:  []events.Subscriber{zaplog.New(logger.Named("tree")).Subscriber()},
		Defaults:     supervisor.Defaults{Backoff: policy.Constant(100 * time.Millisecond), MaxRetries: policy.Unlimited},
		Children: []actor.Spec{
			{Name: "database", Task: actor.Func(database)},
			{Name: "worker", Task: actor.Func(worker)},
		},
	}).Run(ctx)
}

var errRefused = errors.New("connection refused")

// database works at the twelfth attempt.
func database(ctx context.Context) error {
	if info, _ := actor.FromContext(ctx); info.Attempt < 12 {
		return errRefused
	}
	return nil
}

// worker works at the third attempt. Until then it forgets to make the map.
func worker(ctx context.Context) error {
	var counts map[string]int
	if info, _ := actor.FromContext(ctx); info.Attempt >= 3 {
		counts = make(map[string]int)
	}
	counts["jobs"]++
	return nil
}
