package memstore

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/taskvisor/taskvisor/persist"
)

// store is one use of a memory, from Open to Close. Its fields but m are guarded by m.mu.
type store struct {
	m *Memory
	// recovered says that Recover was called, and owed that it was not clean and nothing was
	// committed since.
	recovered, owed bool
	// unsettled says that a commit has ended with ErrUnknown, and committed what became of
	// it.
	unsettled, committed bool
}

// usable returns ErrClosed when s is not what is open any more. mu is held.
func (s *store) usable(ctx context.Context) error {
	if s.m.open != s {
		return persist.ErrClosed
	}
	return ctx.Err()
}

// Recover lists the jobs without holding the lock, since each may take its time.
func (s *store) Recover(ctx context.Context, each func(*persist.Job) error) (persist.Recovery, error) {
	jobs, r, err := s.begin(ctx)
	if err != nil {
		return persist.Recovery{}, err
	}
	for _, j := range jobs {
		if err := each(j); err != nil {
			return persist.Recovery{}, err
		}
	}
	return r, s.begun()
}

// begin returns what Recover has to say.
func (s *store) begin(ctx context.Context) (jobs []*persist.Job, r persist.Recovery, err error) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return nil, r, err
	}
	for _, id := range slices.Sorted(maps.Keys(s.m.jobs)) {
		if j := s.m.jobs[id]; j.Ended() {
			r.Past[j.End.Kind]++
		} else {
			jobs = append(jobs, listed(j))
		}
	}
	r.Clean, r.Next = !s.m.inUse, s.m.last+1
	return jobs, r, nil
}

// begun marks the memory as in use. A Recover that has not come so far leaves no mark:
// whether the one before has closed is to be told to the next.
func (s *store) begun() error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if s.m.open != s {
		return persist.ErrClosed
	}
	s.recovered, s.owed, s.m.inUse = true, s.m.inUse, true
	return nil
}

// Commit looks at all steps first, so that what it does then cannot fail half way.
func (s *store) Commit(ctx context.Context, steps []persist.Step) (stale []int, err error) {
	if len(steps) > 0 { // else there is nothing to go wrong
		if err := s.m.before(ctx, steps); err != nil {
			return nil, err
		}
	}
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	if s.unsettled {
		return nil, fmt.Errorf("the commit before: %w", persist.ErrUnknown)
	}
	if err := s.m.check(steps); err != nil {
		return nil, err
	}

	if len(steps) > 0 {
		var do bool
		do, err = s.m.fate(steps)
		s.unsettled, s.committed = unknown(err), do
		if do {
			stale = s.m.apply(steps)
		}
	}
	if err != nil {
		return nil, err
	}
	s.owed = false
	return stale, nil
}

func (s *store) Settle(ctx context.Context) (committed bool, err error) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return false, err
	}
	if err := s.m.trouble.settles.next(); err != nil {
		return false, err
	}
	committed = s.unsettled && s.committed
	s.unsettled, s.committed = false, false
	s.owed = s.owed && !committed
	return committed, nil
}

func (s *store) Job(ctx context.Context, id persist.ID) (*persist.Job, error) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	switch j := s.m.jobs[id]; {
	case j != nil:
		return clone(j), nil
	case id == 0 || id > s.m.last:
		return nil, fmt.Errorf("job %d: %w", id, persist.ErrNotFound)
	}
	// An ID that was left out counts as forgotten: nobody was ever given it.
	return nil, fmt.Errorf("job %d: %w", id, persist.ErrPruned)
}

func (s *store) Payload(ctx context.Context, id persist.ID) ([]byte, error) {
	j, err := s.Job(ctx, id)
	if err != nil {
		return nil, err
	}
	return j.Payload, nil
}

func (s *store) Past(ctx context.Context, q persist.PastQuery) ([]*persist.Job, error) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	past := s.m.past(func(j *persist.Job) bool {
		return (len(q.Kinds) == 0 || slices.Contains(q.Kinds, j.End.Kind)) &&
			(q.Type == "" || q.Type == j.Type) &&
			(q.Before == 0 || j.End.Seq < q.Before)
	})
	slices.Reverse(past)

	limit := cmp.Or(max(q.Limit, 0), persist.DefaultPage)
	past = past[:min(limit, len(past))]
	for i, j := range past {
		past[i] = listed(j)
	}
	return past, nil
}

// Usage knows nothing: how large the memory is, is for the runtime to say.
func (s *store) Usage() persist.Usage { return persist.Usage{} }

// Close marks the memory as not in use, if this store has recovered it and has noted a crash.
func (s *store) Close() error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if s.m.open != s {
		return persist.ErrClosed
	}
	s.m.open = nil
	if s.recovered && !s.owed {
		s.m.inUse = false
	}
	return nil
}
