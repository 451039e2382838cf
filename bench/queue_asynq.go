package main

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/hibiken/asynq"
)

const asynqConfig = "asynq on a Redis of its own, over a local socket, with `appendonly` and `appendfsync always`. Concurrency 16, `TaskCheckInterval` 1 ms instead of 1 s; what has ended is kept for an hour."

// asynqQueue is a client and a server of asynq.
type asynqQueue struct {
	client    *asynq.Client
	inspector *asynq.Inspector
	work      *asynq.Server
	entered   func()
	started   bool
	redis     *server
}

func openAsynq(dir string, workers int, entered func()) (durable, error) {
	s, err := startRedis(dir)
	if err != nil {
		return nil, err
	}
	return dialAsynq(asynq.RedisClientOpt{Network: "unix", Addr: s.socket(), PoolSize: 2 * submitting}, s, workers, entered), nil
}

func dialAsynq(opt asynq.RedisClientOpt, s *server, workers int, entered func()) *asynqQueue {
	return &asynqQueue{
		client: asynq.NewClient(opt), inspector: asynq.NewInspector(opt), entered: entered, redis: s,
		work: asynq.NewServer(opt, asynq.Config{Concurrency: workers, TaskCheckInterval: time.Millisecond, LogLevel: asynq.FatalLevel}),
	}
}

func (a *asynqQueue) submit() error {
	_, err := a.client.Enqueue(asynq.NewTask("note", encoded(newNote())), asynq.Retention(time.Hour))
	return err
}

// submitAll is nothing that asynq has.
func (a *asynqQueue) submitAll([]note) error { return errNoNotion }

func (a *asynqQueue) start() error {
	a.started = true
	return a.work.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { a.entered(); return nil }))
}

func (a *asynqQueue) left() (int, error) {
	info, err := a.inspector.GetQueueInfo("default")
	if err != nil {
		return 0, err
	}
	return info.Pending + info.Active + info.Scheduled + info.Retry, nil // Size has what is kept, too
}

func (a *asynqQueue) stop() error {
	if a.started {
		a.work.Shutdown()
	}
	return errors.Join(a.client.Close(), a.inspector.Close(), a.redis.stop())
}

// encoded is a note as the others encode it.
func encoded(n note) []byte {
	b, err := json.Marshal(n)
	if err != nil {
		panic(err) // a string can be encoded
	}
	return b
}
