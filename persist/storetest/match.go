package storetest

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
)

// A match is a history as it is played by the subject and by the reference.
type match struct {
	ctx       context.Context
	backend   persist.Backend
	memory    *memstore.Memory
	subject   persist.Store
	reference persist.Store
	last      persist.ID // the highest so far
	known     []persist.ID
	lines     []string // what was done
	wrong     error    // how the answers differ
}

// checkpoint is after how many moves everything is asked.
const checkpoint = 8

// play plays moves until the answers differ, and chooses what the moves leave open.
func play(backend persist.Backend, moves []move) *match {
	m := &match{ctx: context.Background(), backend: backend, memory: memstore.New()}
	defer func() {
		if p := recover(); p != nil {
			m.wrong = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
		if m.subject != nil {
			_ = m.subject.Close() // a store that has been found to be wrong may say anything
		}
	}()

	m.wrong = m.open()
	for i := 0; i < len(moves) && m.wrong == nil; i++ {
		m.wrong = m.move(&moves[i])
		if m.wrong == nil && i%checkpoint == checkpoint-1 {
			m.wrong = m.everything()
		}
	}
	if m.wrong == nil {
		m.note("close, open, and look at everything")
		m.wrong = errors.Join(m.close(), m.open())
	}
	return m
}

func (m *match) note(format string, args ...any) {
	m.lines = append(m.lines, "  "+fmt.Sprintf(format, args...))
}

func (m *match) story() string { return strings.Join(m.lines, "\n") }

func (m *match) move(mv *move) error {
	switch mv.act {
	case commit:
		return m.commit(mv)
	case doubt:
		m.doubt(mv.how&1 != 0)
		return m.commit(mv)
	case look:
		m.note("look at %d", mv.id)
		return m.look(mv.id)
	case list:
		m.note("list %s", show(mv.query))
		return m.list(mv.query)
	case reopen:
		m.note("close and open")
		return errors.Join(m.close(), m.open())
	case crash:
		return errors.Join(m.crash(), m.open())
	default:
		return errors.Join(m.crash(), m.glance(), m.open())
	}
}

// open opens and recovers both, and then asks them everything.
func (m *match) open() (err error) {
	if m.subject, err = m.backend.Open(m.ctx); err != nil {
		return fmt.Errorf("open: %w", err)
	}
	if m.reference, err = m.memory.Open(m.ctx); err != nil {
		return err
	}
	want, wantRecovery, err := recovered(m.ctx, m.reference)
	if err != nil {
		return err
	}
	got, recovery, err := recovered(m.ctx, m.subject)
	if err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	if d := diffJobs(want, got); d != "" {
		return fmt.Errorf("recover: %s", d)
	}
	if recovery != wantRecovery {
		return fmt.Errorf("recover: %+v, want %+v", recovery, wantRecovery)
	}
	if err := payloadless(got); err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	return m.everything()
}

func recovered(ctx context.Context, s persist.Store) (jobs []*persist.Job, r persist.Recovery, err error) {
	r, err = s.Recover(ctx, func(j *persist.Job) error {
		jobs = append(jobs, j)
		return nil
	})
	return jobs, r, err
}

func (m *match) close() error {
	if err := errors.Join(m.subject.Close(), m.reference.Close()); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	return nil
}

// crash ends both without closing them, if the subject can do that.
func (m *match) crash() error {
	c, ok := m.backend.(Crasher)
	if !ok {
		m.note("close and open, since it cannot crash")
		return m.close()
	}
	m.note("crash and open")
	c.Crash()
	m.memory.Crash()
	return nil
}

// glance opens and closes both without more: whoever does that has not used them.
func (m *match) glance() error {
	m.note("close what has not recovered, and open")
	for _, b := range []persist.Backend{m.backend, m.memory} {
		s, err := b.Open(m.ctx)
		if err != nil {
			return fmt.Errorf("open: %w", err)
		}
		if err := s.Close(); err != nil {
			return fmt.Errorf("close: %w", err)
		}
	}
	return nil
}

func (m *match) doubt(committed bool) {
	if d, ok := m.backend.(Doubter); ok {
		m.note("make the next good commit unknown (done: %v)", committed)
		d.UnknownNext(committed)
	}
}

// commit has the subject go first: only it knows whether a commit that has ended as
// unknown was done.
func (m *match) commit(mv *move) error {
	m.choose(mv)
	steps := mv.steps
	stale, err := m.subject.Commit(m.ctx, steps)
	m.note("commit %s -> stale %v, error %v", tellAll(steps), stale, err)
	if errors.Is(err, persist.ErrUnknown) {
		committed, err := settle(m.ctx, m.subject)
		m.note("settle -> committed %v, error %v", committed, err)
		if err != nil || !committed {
			return err
		}
		if _, err = m.reference.Commit(m.ctx, steps); err != nil {
			return fmt.Errorf("committed what should be an error: %w", err)
		}
		m.done(steps)
		return m.everything()
	}

	wantStale, wantErr := m.reference.Commit(m.ctx, steps)
	switch {
	case (err == nil) != (wantErr == nil):
		return fmt.Errorf("commit: %s, want %s", told(err), told(wantErr))
	case err != nil:
		return m.everything()
	case !slices.Equal(stale, wantStale):
		return fmt.Errorf("commit: stale %v, want %v", stale, wantStale)
	}
	m.done(steps)
	return nil
}

// settle is patient, but not for ever.
func settle(ctx context.Context, s persist.Store) (committed bool, err error) {
	for range 10 {
		if committed, err = s.Settle(ctx); err == nil {
			return committed, nil
		}
	}
	return false, fmt.Errorf("settle: %w", err)
}

// choose makes steps of the drafts of a move.
func (m *match) choose(mv *move) {
	last := m.last
	for _, d := range mv.drafts {
		s := d.step(last)
		if s.Verb == persist.Insert {
			last = max(last, s.Record.ID)
		}
		mv.steps = append(mv.steps, s)
	}
	mv.drafts = nil
}

// done remembers which jobs there are.
func (m *match) done(steps []persist.Step) {
	for i := range steps {
		if steps[i].Verb == persist.Insert {
			m.last = steps[i].Record.ID
			m.known = append(m.known, m.last)
		}
	}
}

func tellAll(steps []persist.Step) string {
	told := make([]string, len(steps))
	for i := range steps {
		told[i] = tell(&steps[i])
	}
	return "[" + strings.Join(told, ", ") + "]"
}
