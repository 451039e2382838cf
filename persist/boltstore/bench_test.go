package boltstore

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/taskvisor/taskvisor/persist"
)

var benchJobs = flag.Int("jobs", 100_000, "how many jobs BenchmarkRecover recovers")

// BenchmarkPut is what bbolt does without us, to compare with: records as long as ours in
// one bucket.
func BenchmarkPut(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			db, err := bbolt.Open(filepath.Join(b.TempDir(), "raw.db"), 0o600, &bbolt.Options{
				NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, InitialMmapSize: initialMap(),
			})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			value := make([]byte, len(appendRecord(nil, benchRecord(1<<20), DefaultInlinePayload))+sumSize)
			id := uint64(0)
			b.ReportAllocs()
			for b.Loop() {
				err := db.Update(func(tx *bbolt.Tx) error {
					bucket, err := tx.CreateBucketIfNotExists([]byte("jobs"))
					if err != nil {
						return err
					}
					bucket.FillPercent = fill
					var key [8]byte
					for range n {
						id++
						binary.BigEndian.PutUint64(key[:], id)
						if err := bucket.Put(key[:], value); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			perJob(b, n)
		})
	}
}

// BenchmarkInsert is a Commit of as many inserts.
func BenchmarkInsert(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := benchStore(b)
			steps := make([]persist.Step, n)
			records := make([]persist.Record, n)
			id := persist.ID(0)
			b.ReportAllocs()
			for b.Loop() {
				for i := range steps {
					id++
					records[i] = *benchRecord(id)
					steps[i] = persist.Step{Verb: persist.Insert, Record: &records[i]}
				}
				benchCommit(b, s, steps)
			}
			perJob(b, n)
		})
	}
}

// BenchmarkComplete is the end of as many jobs, with the oldest of those that have ended
// forgotten. The jobs are inserted when the clock stands.
func BenchmarkComplete(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := benchStore(b)
			steps := make([]persist.Step, 0, n+1)
			next, done := persist.ID(1), persist.ID(1)
			b.ReportAllocs()
			for b.Loop() {
				if done == next {
					b.StopTimer()
					next = benchFill(b, s, next, 20_000)
					b.StartTimer()
				}
				steps = steps[:0]
				for range n {
					steps = append(steps, benchEnd(done))
					done++
				}
				steps = append(steps, persist.Step{Verb: persist.Prune, Kind: persist.Completed, Count: max(0, int(done)-10_000)})
				if done > 10_000 {
					steps[n].Count = n
				} else {
					steps = steps[:n]
				}
				benchCommit(b, s, steps)
			}
			perJob(b, n)
		})
	}
}

// BenchmarkLife is all that is written for jobs: each commit inserts as many, ends as many
// and forgets as many.
func BenchmarkLife(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := benchStore(b)
			// A queue 50k deep, with a history of 10k.
			next := benchFill(b, s, 1, 60_000)
			done := persist.ID(1)
			var steps []persist.Step
			for ; done <= 10_000; done++ {
				steps = append(steps, benchEnd(done))
			}
			benchCommit(b, s, steps)
			before := s.Stats().Written
			records := make([]persist.Record, n)
			rounds := 0
			b.ReportAllocs()
			for b.Loop() {
				rounds++
				steps = steps[:0]
				for i := range n {
					records[i] = *benchRecord(next)
					steps = append(steps, persist.Step{Verb: persist.Insert, Record: &records[i]}, benchEnd(done))
					next++
					done++
				}
				steps = append(steps, persist.Step{Verb: persist.Prune, Kind: persist.Completed, Count: n})
				benchCommit(b, s, steps)
			}
			b.ReportMetric(float64(s.Stats().Written-before)/float64(rounds*n), "written-B/job")
			perJob(b, n)
		})
	}
}

func BenchmarkRecover(b *testing.B) {
	path := filepath.Join(b.TempDir(), "jobs.db")
	s, err := Open(context.Background(), path, Options{NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	benchFill(b, s, 1, *benchJobs)
	s.Close()
	b.ReportAllocs()
	var opening time.Duration
	rounds := 0
	for b.Loop() {
		began := time.Now()
		s, err := Open(context.Background(), path, Options{})
		if err != nil {
			b.Fatal(err)
		}
		opening += time.Since(began)
		rounds++
		n := 0
		if _, err := s.Recover(context.Background(), func(*persist.Job) error { n++; return nil }); err != nil || n != *benchJobs {
			b.Fatal(n, err)
		}
		s.Close()
	}
	b.ReportMetric(float64(opening.Milliseconds())/float64(rounds), "open-ms/op")
}

func BenchmarkEncodeRecord(b *testing.B) {
	r := benchRecord(1)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = seal(appendRecord(buf[:0], r, DefaultInlinePayload), 0, jobs, nil)
	}
}

func BenchmarkReadRecord(b *testing.B) {
	v := seal(appendRecord(nil, benchRecord(1), DefaultInlinePayload), 0, jobs, nil)
	known := texts{}
	b.ReportAllocs()
	for b.Loop() {
		v, err := unseal(jobs, nil, v)
		var r persist.Record
		if _, _, err2 := readRecord(v, &r, known); err != nil || err2 != nil {
			b.Fatal(err, err2)
		}
	}
}

func perJob(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/job")
}

func benchStore(b *testing.B) *Store {
	s, err := Open(context.Background(), filepath.Join(b.TempDir(), "jobs.db"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

func benchFill(b *testing.B, s *Store, next persist.ID, n int) persist.ID {
	for n > 0 {
		steps := make([]persist.Step, min(n, 10_000))
		for i := range steps {
			steps[i] = persist.Step{Verb: persist.Insert, Record: benchRecord(next)}
			next++
		}
		benchCommit(b, s, steps)
		n -= len(steps)
	}
	return next
}

func benchCommit(b *testing.B, s *Store, steps []persist.Step) {
	stale, err := s.Commit(context.Background(), steps)
	if err != nil || len(stale) > 0 {
		b.Fatal(stale, err)
	}
}

var (
	benchPayload = make([]byte, 256)
	benchTime    = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

func benchRecord(id persist.ID) *persist.Record {
	return &persist.Record{
		ID: id, Type: "media/thumbnail", Digest: persist.Digest{1, 2, 3}, Group: "tenant-7",
		Priority: persist.Normal, Submitted: benchTime.Add(time.Duration(id)), Payload: benchPayload,
	}
}

func benchEnd(id persist.ID) persist.Step {
	return persist.Step{
		Verb: persist.Resolve, ID: id,
		State: persist.State{Fence: 1, Attempts: 1, Priority: persist.Normal},
		End:   persist.End{Kind: persist.Completed, At: benchTime.Add(time.Hour), Elapsed: time.Second},
	}
}
