package storetest

import "github.com/taskvisor/taskvisor/persist"

var lives = []scenario{
	{"a job that is inserted is in its initial state", func(g *game) {
		for n := range persist.ID(256) {
			g.commit(insert(n + 1))
		}
		for n := range persist.ID(256) {
			if d := diff(expect(0, insert(n+1)), g.job(n+1)); d != "" {
				g.Errorf("job %d: %s", n+1, d)
			}
		}
	}},

	{"one commit may hold a whole life", func(g *game) {
		g.commit(
			insert(1), amend(1, 1), resolve(1, 1, persist.DeadLetter), revive(1, 2), amend(1, 3),
			resolve(1, 3, persist.Completed), insert(2), resolve(2, 0, persist.Completed), prune(persist.Completed, 1))
		g.gone(1, persist.ErrPruned)
		g.is(expect(3, insert(2), resolve(2, 0, persist.Completed)))
		g.wantLive()
		g.wantNext(3)
		g.commit(insert(3), amend(3, 1), resolve(3, 1, persist.DeadLetter), revive(3, 2), amend(3, 3))
		g.is(expect(0, insert(3), amend(3, 3)))
		g.wantPast(persist.PastQuery{}, 2)
	}},

	{"an amendment leaves nothing of the state before", func(g *game) {
		full := persist.Step{Verb: persist.Amend, ID: 1, State: filled[persist.State](1)}
		none := persist.Step{Verb: persist.Amend, ID: 1, State: persist.State{Fence: full.State.Fence}}
		g.commit(insert(1), full)
		g.is(expect(0, insert(1), full))
		g.commit(none)
		g.is(expect(0, insert(1), none))
	}},

	{"an end keeps the last state", func(g *game) {
		end := resolve(1, 0, persist.Failed)
		end.State = filled[persist.State](3)
		g.commit(insert(1), end)
		g.is(expect(1, insert(1), end))
	}},

	{"the store gives the place in the order of ends", func(g *game) {
		end := resolve(2, 0, persist.Failed)
		end.End.Seq = 77
		g.commit(insert(1), insert(2), insert(3))
		g.commit(end, resolve(1, 0, persist.Completed))
		g.commit(resolve(3, 0, persist.Failed))
		for seq, id := range []persist.ID{2, 1, 3} {
			if got := g.job(id).End.Seq; got != uint64(seq+1) {
				g.Errorf("job %d has place %d, want %d", id, got, seq+1)
			}
		}
	}},

	{"a job that is revived keeps its ID and record, and has not ended", func(g *game) {
		back := persist.Step{Verb: persist.Revive, ID: 7, State: filled[persist.State](5)}
		g.commit(insert(7), resolve(7, 3, persist.DeadLetter))
		g.commit(back)
		g.is(expect(0, insert(7), back))
		g.wantLive(7)
		g.wantPast(persist.PastQuery{})
		g.wantNext(8)
	}},

	{"a job that ends again is the last that has", func(g *game) {
		g.commit(insert(1), insert(2), resolve(1, 0, persist.Failed), resolve(2, 0, persist.Failed))
		g.commit(revive(1, 1))
		g.commit(resolve(1, 1, persist.Cancelled))
		g.is(expect(3, insert(1), resolve(1, 1, persist.Cancelled)))
		g.wantPast(persist.PastQuery{}, 1, 2)
		g.wantPast(persist.PastQuery{Kinds: []persist.Ending{persist.Failed}}, 2)
		g.wantPast(persist.PastQuery{Before: 3}, 2)
	}},
}
