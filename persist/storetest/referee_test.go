package storetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
)

// A referee is told what a test would be told, and writes it down.
type referee struct {
	testing.TB
	said     []string
	cleanups []func()
}

// verdict plays f in a goroutine that f may end, and returns what f complained of.
func verdict(t testing.TB, f func(t testing.TB)) []string {
	r := &referee{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				r.said = append(r.said, fmt.Sprint("panic: ", p))
			}
		}()
		f(r)
	}()
	<-done
	for _, f := range r.cleanups {
		f()
	}
	return r.said
}

func (r *referee) Helper()                      {}
func (r *referee) Cleanup(f func())             { r.cleanups = append(r.cleanups, f) }
func (r *referee) Error(args ...any)            { r.said = append(r.said, fmt.Sprint(args...)) }
func (r *referee) Fatal(args ...any)            { r.Error(args...); runtime.Goexit() }
func (r *referee) Skip(...any)                  { runtime.Goexit() }
func (r *referee) Errorf(f string, args ...any) { r.Error(fmt.Sprintf(f, args...)) }
func (r *referee) Fatalf(f string, args ...any) { r.Fatal(fmt.Sprintf(f, args...)) }

// A liar is a memstore of which something is not as it should be. What is nil is.
type liar struct {
	persist.Store
	recover func(s persist.Store, jobs []*persist.Job, r *persist.Recovery) []*persist.Job
	commit  func(s persist.Store, steps []persist.Step) ([]int, error)
	job     func(s persist.Store, id persist.ID) (*persist.Job, error)
	past    func(s persist.Store, q persist.PastQuery) ([]*persist.Job, error)
	seen    func(j *persist.Job)
	close   func(s persist.Store) error
	settle  func(s persist.Store) (bool, error)
}

func (l *liar) Recover(ctx context.Context, each func(*persist.Job) error) (persist.Recovery, error) {
	jobs, r, err := recovered(ctx, l.Store)
	if err != nil {
		return r, err
	}
	if l.recover != nil {
		jobs = l.recover(l.Store, jobs, &r)
	}
	for _, j := range jobs {
		l.see(j)
		if err := each(j); err != nil {
			return r, err
		}
	}
	return r, nil
}

func (l *liar) Commit(ctx context.Context, steps []persist.Step) ([]int, error) {
	if l.commit != nil {
		return l.commit(l.Store, steps)
	}
	return l.Store.Commit(ctx, steps)
}

func (l *liar) Settle(ctx context.Context) (bool, error) {
	if l.settle != nil {
		return l.settle(l.Store)
	}
	return l.Store.Settle(ctx)
}

func (l *liar) Job(ctx context.Context, id persist.ID) (*persist.Job, error) {
	if l.job != nil {
		return l.job(l.Store, id)
	}
	j, err := l.Store.Job(ctx, id)
	if err == nil {
		l.see(j)
	}
	return j, err
}

func (l *liar) Payload(ctx context.Context, id persist.ID) ([]byte, error) {
	j, err := l.Job(ctx, id)
	if err != nil {
		return nil, err
	}
	return j.Payload, nil
}

func (l *liar) Past(ctx context.Context, q persist.PastQuery) ([]*persist.Job, error) {
	past := l.past
	if past == nil {
		past = func(s persist.Store, q persist.PastQuery) ([]*persist.Job, error) { return s.Past(ctx, q) }
	}
	jobs, err := past(l.Store, q)
	for _, j := range jobs {
		l.see(j)
	}
	return jobs, err
}

func (l *liar) Close() error {
	if l.close != nil {
		return l.close(l.Store)
	}
	return l.Store.Close()
}

func (l *liar) see(j *persist.Job) {
	if l.seen != nil {
		l.seen(j)
	}
}

// lying opens a memory with a liar in front of it. The lies outlive the stores, as files
// do.
type lying struct {
	*memstore.Memory
	lies  liar
	twice bool
}

func (b *lying) Open(ctx context.Context) (persist.Store, error) {
	s, err := b.Memory.Open(ctx)
	var locked *persist.LockedError
	if errors.As(err, &locked) && b.twice {
		b.Crash()
		s, err = b.Memory.Open(ctx)
	}
	if err != nil {
		return nil, err
	}
	l := b.lies
	l.Store = s
	return &l, nil
}
