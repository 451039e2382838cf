package main

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
)

const riverConfig = "River with pgx on a PostgreSQL of its own, over a local socket, on its default settings: `fsync` and `synchronous_commit` are on." + riverPace +
	" `MaxWorkers` 2,000, as in its own benchmark: with 16 it fetches so few at a time. 64 connections."

// riverWorkers is how many workers River has on PostgreSQL.
const riverWorkers = 2000

func openRiver(dir string, _ int, entered func()) (durable, error) {
	s, err := startPostgres(dir)
	if err != nil {
		return nil, err
	}
	pool, err := openPool(s)
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return newRiver(riverpgxv5.New(pool), &riverPostgres{server: s, pool: pool}, riverWorkers, entered)
}

// openPool opens the connections to a PostgreSQL.
func openPool(s *server) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig("host=" + s.dir + " user=bench dbname=postgres")
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = submitting
	return pgxpool.NewWithConfig(context.Background(), cfg)
}

// riverPostgres is a PostgreSQL with its connections.
type riverPostgres struct {
	server *server
	pool   *pgxpool.Pool
}

func (p *riverPostgres) count(query string) (n int, err error) {
	return n, p.pool.QueryRow(context.Background(), query).Scan(&n)
}

func (p *riverPostgres) close(used bool) error {
	if !used { // else it would wait
		p.pool.Close()
	}
	return p.server.stop()
}
