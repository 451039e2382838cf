package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivermigrate"
)

// riverPace is said of every River.
const riverPace = " `FetchCooldown` and `FetchPollInterval` 1 ms, the least that is possible, instead of 100 ms and 1 s."

// Kind names the job for River.
func (note) Kind() string { return "note" }

// riverWork does nothing.
type riverWork struct {
	river.WorkerDefaults[note]
	entered func()
}

func (w *riverWork) Work(context.Context, *river.Job[note]) error { w.entered(); return nil }

// A riverDatabase is where River keeps its jobs.
type riverDatabase interface {
	// count asks for one number.
	count(query string) (int, error)
	// close ends the database. Where jobs may still use it, it waits for none of them.
	close(used bool) error
}

// riverQueue is a client of River, on a database with transactions of one type.
type riverQueue[T any] struct {
	*river.Client[T]
	database riverDatabase
	started  bool
}

// newRiver makes a queue of a database that is empty, and closes it if that fails.
func newRiver[T any](driver riverdriver.Driver[T], database riverDatabase, workers int, entered func()) (durable, error) {
	c, err := riverClient(driver, workers, entered)
	if err != nil {
		return nil, errors.Join(err, database.close(false))
	}
	return &riverQueue[T]{Client: c, database: database}, nil
}

// riverClient makes the tables that River needs, and a client with so many workers.
func riverClient[T any](driver riverdriver.Driver[T], workers int, entered func()) (*river.Client[T], error) {
	logger := slog.New(slog.DiscardHandler)
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: logger})
	if err != nil {
		return nil, err
	}
	if _, err := migrator.Migrate(context.Background(), rivermigrate.DirectionUp, nil); err != nil {
		return nil, err
	}
	works := river.NewWorkers()
	river.AddWorker(works, &riverWork{entered: entered})
	return river.NewClient(driver, &river.Config{
		FetchCooldown: river.FetchCooldownMin, FetchPollInterval: river.FetchPollIntervalMin,
		Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: workers}}, Workers: works,
		Logger: logger,
	})
}

func (r *riverQueue[T]) submit() error {
	_, err := r.Insert(context.Background(), newNote(), nil)
	return err
}

func (r *riverQueue[T]) submitAll(ins []note) error {
	params := make([]river.InsertManyParams, len(ins))
	for i, in := range ins {
		params[i].Args = in
	}
	_, err := r.InsertManyFast(context.Background(), params)
	return err
}

func (r *riverQueue[T]) start() error {
	r.started = true
	return r.Start(context.Background())
}

func (r *riverQueue[T]) left() (int, error) {
	return r.database.count("SELECT count(*) FROM river_job WHERE state <> 'completed'")
}

func (r *riverQueue[T]) stop() error {
	used := false
	if r.started {
		// It may take seconds, and what it leaves undone ends with the database.
		ctx, cancel := context.WithTimeout(context.Background(), time.Second/2)
		defer cancel()
		used = r.StopAndCancel(ctx) != nil
	}
	return r.database.close(used)
}
