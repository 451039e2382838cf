package main

import (
	"database/sql"

	"github.com/riverqueue/river/riverdriver/riversqlite"
)

const riverLiteConfig = sqliteConfig + " River with its driver for that, of the same version." + riverPace +
	" `MaxWorkers` 100, with which it is fastest: with 16 it fetches so few at a time, and 2,000 are no better."

// riverLiteWorkers is how many workers River has on SQLite.
const riverLiteWorkers = 100

func openRiverLite(dir string, _ int, entered func()) (durable, error) {
	db, err := openSQLite(dir)
	if err != nil {
		return nil, err
	}
	return newRiver(riversqlite.New(db), riverSQLite{db}, riverLiteWorkers, entered)
}

// riverSQLite is a file of SQLite.
type riverSQLite struct{ *sql.DB }

func (s riverSQLite) count(query string) (int, error) { return count(s.DB, query) }

func (s riverSQLite) close(bool) error { return s.Close() }
