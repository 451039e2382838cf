package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/taskvisor/taskvisor/persist"
)

var openings = []scenario{
	{"a new store is empty, clean, and begins with job 1", func(g *game) {
		g.wantLive()
		g.wantPast(persist.PastQuery{})
		if want := (persist.Recovery{Clean: true, Next: 1}); g.recovery != want {
			g.Errorf("recover: %+v, want %+v", g.recovery, want)
		}
		g.gone(0, persist.ErrNotFound)
		g.gone(1, persist.ErrNotFound)
	}},

	{"a store is open once at a time", func(g *game) {
		ctx, cancel := context.WithTimeout(g.ctx, 20*time.Millisecond)
		defer cancel()
		s, err := g.backend.Open(ctx)
		var locked *persist.LockedError
		if !errors.As(err, &locked) {
			g.Errorf("open while it is open: error %v, want a LockedError", err)
		}
		if err == nil {
			_ = s.Close()
		}
		g.commit(insert(1))
		g.reopen()
		g.wantLive(1)
	}},

	{"what was closed answers nothing any more", func(g *game) {
		g.commit(insert(1))
		g.close()
		closed := g.store
		g.wantClosed(closed)

		g.open()
		g.wantClosed(closed)
		_ = closed.Close()
		g.job(1)
		g.commit(amend(1, 1))
		if _, err := g.backend.Open(expired()); err == nil {
			g.Error("closing what was closed has closed who has opened it since")
		}
	}},

	{"what is closed and opened again is as it was", func(g *game) {
		g.commit(insert(1), insert(2), insert(3), amend(1, 4), resolve(2, 1, persist.Failed))
		for range 3 {
			g.reopen()
			g.wantClean(true)
			g.wantNext(4)
			g.wantLive(1, 3)
			g.wantPast(persist.PastQuery{}, 2)
		}
		g.is(expect(0, insert(1), amend(1, 4)))
		g.is(expect(1, insert(2), resolve(2, 1, persist.Failed)))
	}},

	{"what is not closed is not clean, but as it was", func(g *game) {
		g.commit(insert(1), insert(2), resolve(2, 0, persist.Completed))
		for range 2 {
			g.crash()
			g.open()
			g.wantClean(false)
			g.wantNext(3)
			g.wantLive(1)
			g.wantPast(persist.PastQuery{}, 2)
		}
		g.commit(insert(3))
		g.reopen()
		g.wantClean(true)
	}},

	{"a crash is told until something was committed since", func(g *game) {
		g.commit(insert(1))
		g.crash()
		for range 3 {
			g.open()
			g.wantClean(false)
			g.refused(insert(1)) // and opened again
			g.wantClean(false)
			g.close()
		}
		g.open()
		g.commit()
		g.reopen()
		g.wantClean(true)
	}},

	{"a crash is told until a commit is known to have come to pass", func(g *game) {
		d, ok := g.backend.(Doubter)
		if !ok {
			g.Skip("the backend cannot be made to be in doubt")
		}
		g.crash()
		for i, committed := range []bool{false, true} {
			g.open()
			g.wantClean(false)
			d.UnknownNext(committed)
			if _, err := g.store.Commit(g.ctx, []persist.Step{insert(persist.ID(i + 1))}); !errors.Is(err, persist.ErrUnknown) {
				g.Fatalf("commit: error %v, want one that is ErrUnknown", err)
			}
			if _, err := settle(g.ctx, g.store); err != nil {
				g.Fatal(err)
			}
			g.close()
		}
		g.open()
		g.wantClean(true)
	}},

	{"a store that nothing was written to is in use, too", func(g *game) {
		g.crash()
		g.open()
		g.wantClean(false)
	}},

	{"who opens a store and does not recover it has not used it", func(g *game) {
		g.crash()
		g.openOnly()
		g.close()
		g.open()
		g.wantClean(false)

		g.commit(insert(1))
		g.close()
		g.openOnly()
		g.crash()
		g.open()
		g.wantClean(true)
	}},

	{"no ID and no place in the order of ends is used again", func(g *game) {
		g.commit(insert(1), insert(2), resolve(1, 0, persist.Failed), resolve(2, 0, persist.Failed))
		g.commit(prune(persist.Failed, 2))
		g.reopen()
		g.wantNext(3)
		g.refused(insert(2))
		g.commit(insert(3), resolve(3, 0, persist.Failed))
		g.is(expect(3, insert(3), resolve(3, 0, persist.Failed)))
	}},

	{"Settle says what has become of a commit", func(g *game) {
		d, ok := g.backend.(Doubter)
		if !ok {
			g.Skip("the backend cannot be made to be in doubt")
		}
		for i, want := range []bool{false, true} {
			id := persist.ID(i + 1)
			d.UnknownNext(want)
			if _, err := g.store.Commit(g.ctx, []persist.Step{insert(id)}); !errors.Is(err, persist.ErrUnknown) {
				g.Fatalf("commit: error %v, want one that is ErrUnknown", err)
			}
			if got, err := settle(g.ctx, g.store); err != nil || got != want {
				g.Fatalf("settle: %v, error %v, want %v", got, err, want)
			}
			if !want {
				g.gone(id, persist.ErrNotFound)
				g.commit(insert(id))
			}
			g.is(expect(0, insert(id)))
		}
	}},
}

// expired is of no use for waiting.
func expired() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func (g *game) wantClosed(s persist.Store) {
	g.Helper()
	_, recoverErr := s.Recover(g.ctx, func(*persist.Job) error { return nil })
	_, commitErr := s.Commit(g.ctx, []persist.Step{insert(100)})
	_, emptyErr := s.Commit(g.ctx, nil)
	_, settleErr := s.Settle(g.ctx)
	_, jobErr := s.Job(g.ctx, 1)
	_, payloadErr := s.Payload(g.ctx, 1)
	_, pastErr := s.Past(g.ctx, persist.PastQuery{})
	_ = s.Usage()
	for _, call := range []struct {
		name string
		err  error
	}{
		{"recover", recoverErr}, {"commit", commitErr}, {"commit of nothing", emptyErr}, {"settle", settleErr},
		{"job", jobErr}, {"payload", payloadErr}, {"past", pastErr},
	} {
		if !errors.Is(call.err, persist.ErrClosed) {
			g.Errorf("%s of what was closed: error %v, want ErrClosed", call.name, call.err)
		}
	}
}
