package storetest

import (
	"errors"

	"github.com/taskvisor/taskvisor/persist"
)

var recoveries = []scenario{
	{"Recover lists what has not ended, in the order of IDs", func(g *game) {
		var want []persist.ID
		for _, id := range []persist.ID{1, 2, 3, 254, 255, 256, 257, 65535, 65536, 1 << 32, 1<<32 + 1, 1 << 56} {
			g.commit(insert(id))
			want = append(want, id)
		}
		g.commit(resolve(255, 0, persist.Failed), resolve(2, 0, persist.DeadLetter))
		g.commit(revive(255, 1), amend(1, 7))
		g.reopen()
		g.wantLive(append([]persist.ID{1}, want[2:]...)...)
		g.wantNext(1<<56 + 1)
	}},

	{"Recover lists jobs as they stand, but for the payload", func(g *game) {
		g.commit(insert(1), insert(2), amend(2, 5), insert(3), resolve(3, 0, persist.Failed), revive(3, 2))
		g.reopen()
		want := []*persist.Job{
			expect(0, insert(1)),
			expect(0, insert(2), amend(2, 5)),
			expect(0, insert(3), resolve(3, 0, persist.Failed), revive(3, 2)),
		}
		for _, j := range want {
			j.Payload = nil
		}
		if d := diffJobs(want, g.live); d != "" {
			g.Error(d)
		}
		if err := payloadless(g.live); err != nil {
			g.Error(err)
		}
	}},

	{"what Recover lists is the caller's own", func(g *game) {
		g.commit(insert(4), amend(4, 1), insert(5), amend(5, 1))
		g.reopen()
		for _, j := range g.live {
			scribble(j)
		}
		g.is(expect(0, insert(4), amend(4, 1)))
		g.is(expect(0, insert(5), amend(5, 1)))
	}},

	{"an error of the caller ends Recover", func(g *game) {
		g.commit(insert(1), insert(2), insert(3))
		g.close()
		g.openOnly()
		enough, seen := errors.New("enough"), 0
		_, err := g.store.Recover(g.ctx, func(*persist.Job) error {
			seen++
			if seen == 2 {
				return enough
			}
			return nil
		})
		if !errors.Is(err, enough) || seen != 2 {
			g.Errorf("recover: error %v after %d jobs, want %v after 2", err, seen, enough)
		}
		g.reopen()
		g.wantLive(1, 2, 3)
	}},

	{"Recover counts what has ended and is known, by how it did", func(g *game) {
		var want [persist.DependencyFailed + 1]int
		id := persist.ID(0)
		for _, kind := range persist.Endings() {
			for range kind + 2 {
				id++
				g.commit(insert(id), resolve(id, 0, kind))
			}
			want[kind] = int(kind) + 2
		}
		g.reopen()
		if g.recovery.Past != want {
			g.Errorf("counts %v, want %v", g.recovery.Past, want)
		}

		g.commit(revive(id, 0), prune(persist.Completed, 2), prune(persist.Failed, 100))
		g.commit(insert(id+1), resolve(id+1, 0, persist.Expired), revive(id+1, 0), resolve(id+1, 0, persist.Cancelled))
		want[persist.DependencyFailed]--
		want[persist.Completed] -= 2
		want[persist.Failed] = 0
		want[persist.Cancelled]++
		g.reopen()
		if g.recovery.Past != want {
			g.Errorf("counts %v, want %v", g.recovery.Past, want)
		}
	}},
}

// scribble spoils what was returned, which must not spoil what is stored.
func scribble(j *persist.Job) {
	clear(j.Payload)
	clear(j.Tags)
	if j.Last != nil {
		*j.Last = persist.Failure{}
	}
	if j.End != nil {
		*j.End = persist.End{}
	}
	*j = persist.Job{}
}
