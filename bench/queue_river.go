package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

const riverConfig = "River with pgx on a PostgreSQL of its own, over a local socket, on its default settings: `fsync` and `synchronous_commit` are on. `FetchCooldown` and " +
	"`FetchPollInterval` 1 ms, the least that is possible, instead of 100 ms and 1 s. `MaxWorkers` 2,000, as in its own benchmark: with 16 it fetches so few at a time. 64 connections."

// riverWorkers is how many workers River has.
const riverWorkers = 2000

// Kind names the job for River.
func (note) Kind() string { return "note" }

// riverWork does nothing.
type riverWork struct {
	river.WorkerDefaults[note]
	entered func()
}

func (w *riverWork) Work(context.Context, *river.Job[note]) error { w.entered(); return nil }

// riverQueue is a client of River.
type riverQueue struct {
	*river.Client[pgx.Tx]
	server  *server
	pool    *pgxpool.Pool
	started bool
}

func openRiver(dir string, _ int, entered func()) (durable, error) {
	s, err := startPostgres(dir)
	if err != nil {
		return nil, err
	}
	r := &riverQueue{server: s}
	if err := r.open(entered); err != nil {
		return nil, errors.Join(err, r.stop())
	}
	return r, nil
}

func (r *riverQueue) open(entered func()) (err error) {
	ctx := context.Background()
	cfg, err := pgxpool.ParseConfig("host=" + r.server.dir + " user=bench dbname=postgres")
	if err != nil {
		return err
	}
	cfg.MaxConns = submitting
	if r.pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return err
	}
	migrator, err := rivermigrate.New(riverpgxv5.New(r.pool), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, &riverWork{entered: entered})
	r.Client, err = river.NewClient(riverpgxv5.New(r.pool), &river.Config{
		FetchCooldown: river.FetchCooldownMin, FetchPollInterval: river.FetchPollIntervalMin,
		Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: riverWorkers}}, Workers: workers,
		Logger: slog.New(slog.DiscardHandler),
	})
	return err
}

func (r *riverQueue) submit() error {
	_, err := r.Insert(context.Background(), newNote(), nil)
	return err
}

func (r *riverQueue) submitAll(ins []note) error {
	params := make([]river.InsertManyParams, len(ins))
	for i, in := range ins {
		params[i].Args = in
	}
	_, err := r.InsertManyFast(context.Background(), params)
	return err
}

func (r *riverQueue) start() error {
	r.started = true
	return r.Start(context.Background())
}

func (r *riverQueue) left() (n int, err error) {
	err = r.pool.QueryRow(context.Background(), "SELECT count(*) FROM river_job WHERE state <> 'completed'").Scan(&n)
	return n, err
}

func (r *riverQueue) stop() error {
	if r.started {
		// It may take seconds, and what it leaves undone ends with the server. The pool is not closed
		// then, for that would wait.
		ctx, cancel := context.WithTimeout(context.Background(), time.Second/2)
		defer cancel()
		if r.StopAndCancel(ctx) != nil {
			return r.server.stop()
		}
	}
	if r.pool != nil {
		r.pool.Close()
	}
	return r.server.stop()
}
