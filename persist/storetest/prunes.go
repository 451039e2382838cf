package storetest

import "github.com/taskvisor/taskvisor/persist"

var prunes = []scenario{
	{"what ended first is forgotten first, whatever its ID", func(g *game) {
		g.commit(insert(1), insert(2), insert(3), insert(4))
		for _, id := range []persist.ID{3, 1, 4, 2} {
			g.commit(resolve(id, 0, persist.Failed))
		}
		g.commit(prune(persist.Failed, 2))
		g.wantPast(persist.PastQuery{}, 2, 4)
		g.gone(3, persist.ErrPruned)
		g.gone(1, persist.ErrPruned)
		g.reopen()
		g.wantPast(persist.PastQuery{}, 2, 4)
		g.gone(3, persist.ErrPruned)
	}},

	{"only what ended in that way is forgotten", func(g *game) {
		g.commit(insert(1), insert(2), insert(3), insert(4))
		g.commit(resolve(1, 0, persist.Completed), resolve(2, 0, persist.Failed), resolve(3, 0, persist.Completed))
		g.commit(prune(persist.Failed, 10))
		g.wantPast(persist.PastQuery{}, 3, 1)
		g.commit(prune(persist.Completed, 1))
		g.wantPast(persist.PastQuery{}, 3)
		g.is(expect(0, insert(4)))
	}},

	{"as many are forgotten as are said, or as there are", func(g *game) {
		for id := range persist.ID(5) {
			g.commit(insert(id+1), resolve(id+1, 0, persist.Expired))
		}
		g.commit(prune(persist.Expired, 0))
		g.wantPast(persist.PastQuery{}, 5, 4, 3, 2, 1)
		g.commit(prune(persist.Expired, 1), prune(persist.Expired, 1))
		g.wantPast(persist.PastQuery{}, 5, 4, 3)
		g.commit(prune(persist.Expired, 1<<30))
		g.wantPast(persist.PastQuery{})
	}},

	{"what was revived is passed over, and forgotten by how it ended last", func(g *game) {
		g.commit(insert(1), insert(2), insert(3))
		g.commit(resolve(1, 0, persist.Failed), resolve(2, 0, persist.Failed), resolve(3, 0, persist.Failed))
		g.commit(revive(1, 0), revive(2, 0), resolve(2, 0, persist.Failed))
		g.commit(prune(persist.Failed, 1))
		g.gone(3, persist.ErrPruned)
		g.commit(resolve(1, 0, persist.Completed), prune(persist.Failed, 9))
		g.gone(2, persist.ErrPruned)
		g.is(expect(5, insert(1), resolve(1, 0, persist.Completed)))
	}},
}
