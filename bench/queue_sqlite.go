package main

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"sync"
	"time"

	"github.com/mikestefanello/backlite"
	"maragu.dev/goqite"
	"maragu.dev/goqite/jobs"
	_ "modernc.org/sqlite" // the driver
)

const (
	sqliteConfig   = "On SQLite by modernc.org/sqlite, without C: one connection, WAL, `synchronous=FULL`."
	backliteConfig = sqliteConfig + " 16 workers; what has ended is kept for an hour. When all its workers are busy it looks again after 100 ms, which cannot be changed."
	goqiteConfig   = sqliteConfig + " Its `jobs.Runner` with `Limit` 16 and a `PollInterval` of 100 µs, instead of 100 ms. It keeps nothing of what has ended."
)

// openSQLite opens a file that is synced at each commit.
func openSQLite(dir string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "jobs.sqlite")+
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)
	return db, nil
}

// count asks for one number.
func count(db *sql.DB, query string) (n int, err error) {
	return n, db.QueryRow(query).Scan(&n)
}

// backliteNote is a note as backlite takes it.
type backliteNote note

func (backliteNote) Config() backlite.QueueConfig {
	return backlite.QueueConfig{
		Name: "notes", MaxAttempts: 3, Timeout: time.Minute, Retention: &backlite.Retention{Duration: time.Hour},
	}
}

// backliteQueue is a client of backlite.
type backliteQueue struct {
	*backlite.Client
	db      *sql.DB
	cancel  context.CancelFunc
	started bool
}

func openBacklite(dir string, workers int, entered func()) (durable, error) {
	db, err := openSQLite(dir)
	if err != nil {
		return nil, err
	}
	c, err := backlite.NewClient(backlite.ClientConfig{DB: db, NumWorkers: workers, ReleaseAfter: time.Hour, CleanupInterval: time.Hour})
	if err != nil {
		return nil, err
	}
	c.Register(backlite.NewQueue(func(context.Context, backliteNote) error { entered(); return nil }))
	return &backliteQueue{Client: c, db: db}, c.Install()
}

func (b *backliteQueue) submit() error {
	_, err := b.Add(backliteNote(newNote())).Save()
	return err
}

func (b *backliteQueue) submitAll(ins []note) error {
	tasks := make([]backlite.Task, len(ins))
	for i, in := range ins {
		tasks[i] = backliteNote(in)
	}
	_, err := b.Add(tasks...).Save()
	return err
}

func (b *backliteQueue) start() error {
	var ctx context.Context
	ctx, b.cancel = context.WithCancel(context.Background())
	b.started = true
	b.Start(ctx)
	return nil
}

func (b *backliteQueue) left() (int, error) {
	return count(b.db, "SELECT count(*) FROM backlite_tasks")
}

func (b *backliteQueue) stop() error {
	if b.started {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		b.Stop(ctx)
		b.cancel()
	}
	return b.db.Close()
}

// goqiteQueue is a runner of goqite.
type goqiteQueue struct {
	queue  *goqite.Queue
	runner *jobs.Runner
	db     *sql.DB
	cancel context.CancelFunc
	ended  sync.WaitGroup
}

func openGoqite(dir string, workers int, entered func()) (durable, error) {
	db, err := openSQLite(dir)
	if err != nil {
		return nil, err
	}
	if err := goqite.Setup(context.Background(), db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	q := goqite.New(goqite.NewOpts{DB: db, Name: "notes", Timeout: time.Hour})
	r := jobs.NewRunner(jobs.NewRunnerOpts{Queue: q, Limit: workers, PollInterval: 100 * time.Microsecond, Extend: time.Hour})
	r.Register("note", func(context.Context, []byte) error { entered(); return nil })
	return &goqiteQueue{queue: q, runner: r, db: db, cancel: func() {}}, nil
}

func (g *goqiteQueue) submit() error {
	return jobs.Create(context.Background(), g.queue, "note", encoded(newNote()))
}

func (g *goqiteQueue) submitAll(ins []note) error {
	tx, err := g.db.Begin()
	if err != nil {
		return err
	}
	for _, in := range ins {
		if err := jobs.CreateTx(context.Background(), tx, g.queue, "note", encoded(in)); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}

func (g *goqiteQueue) start() error {
	var ctx context.Context
	ctx, g.cancel = context.WithCancel(context.Background())
	g.ended.Go(func() { g.runner.Start(ctx) })
	return nil
}

func (g *goqiteQueue) left() (int, error) { return count(g.db, "SELECT count(*) FROM goqite") }

func (g *goqiteQueue) stop() error {
	g.cancel()
	g.ended.Wait()
	return g.db.Close()
}
