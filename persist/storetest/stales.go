package storetest

import "github.com/taskvisor/taskvisor/persist"

var stales = []scenario{
	{"what concerns no job is stale", func(g *game) {
		g.stale([]int{0, 1, 2}, amend(1, 0), resolve(1, 0, persist.Failed), revive(1, 0))
		g.stale([]int{0, 1, 2}, amend(0, 0), resolve(0, 0, persist.Failed), revive(0, 0))
		g.commit(insert(1))
		g.stale([]int{0, 1, 2}, amend(2, 0), resolve(2, 0, persist.Failed), revive(2, 0))
		g.wantPast(persist.PastQuery{})
		g.is(expect(0, insert(1)))
	}},

	{"what concerns a job that has ended is stale, unless it revives it", func(g *game) {
		g.commit(insert(1), resolve(1, 1, persist.Completed))
		g.stale([]int{0, 1}, amend(1, 9), resolve(1, 9, persist.Failed))
		g.is(expect(1, insert(1), resolve(1, 1, persist.Completed)))
		g.commit(revive(1, 0))
	}},

	{"a job that has not ended cannot be revived", func(g *game) {
		g.commit(insert(1), amend(1, 1))
		g.stale([]int{0}, revive(1, 9))
		g.is(expect(0, insert(1), amend(1, 1)))
	}},

	{"what concerns a job that is forgotten is stale", func(g *game) {
		g.commit(insert(1), resolve(1, 0, persist.Completed), prune(persist.Completed, 1))
		g.stale([]int{0, 1, 2}, amend(1, 9), resolve(1, 9, persist.Failed), revive(1, 9))
		g.gone(1, persist.ErrPruned)
	}},

	{"an older fence is stale, the same and a newer one are not", func(g *game) {
		g.commit(insert(1), amend(1, 5))
		g.stale([]int{0, 1}, amend(1, 4), resolve(1, 4, persist.Completed))
		g.is(expect(0, insert(1), amend(1, 5)))
		g.commit(amend(1, 5))
		g.commit(amend(1, 6))
		g.commit(amend(1, 1<<63))
		g.stale([]int{0}, amend(1, 6))
		g.commit(amend(1, 1<<64-1))
		g.stale([]int{0}, resolve(1, 1<<63, persist.Completed))
		g.commit(resolve(1, 1<<64-1, persist.Completed))
		g.is(expect(1, insert(1), resolve(1, 1<<64-1, persist.Completed)))
	}},

	{"no fence is too old to revive, and that which revives counts", func(g *game) {
		g.commit(insert(1), resolve(1, 7, persist.DeadLetter), revive(1, 3))
		g.stale([]int{0}, amend(1, 2))
		g.commit(amend(1, 3))
		g.is(expect(0, insert(1), amend(1, 3)))
	}},

	{"what is stale in the middle leaves the rest as it is", func(g *game) {
		g.commit(insert(1), amend(1, 5), insert(2))
		g.stale([]int{1, 3, 5},
			amend(2, 1), amend(1, 4), insert(3), revive(3, 1), resolve(2, 2, persist.Cancelled), amend(2, 9), amend(3, 1))
		g.is(expect(0, insert(1), amend(1, 5)))
		g.is(expect(1, insert(2), resolve(2, 2, persist.Cancelled)))
		g.is(expect(0, insert(3), amend(3, 1)))
	}},

	{"a step is stale by what a step before it has done", func(g *game) {
		g.commit(insert(1))
		g.stale([]int{1}, amend(1, 5), amend(1, 4))
		g.stale([]int{1, 2}, resolve(1, 5, persist.Failed), resolve(1, 6, persist.Completed), amend(1, 6))
		g.stale([]int{1}, revive(1, 1), revive(1, 2))
		g.stale([]int{2}, resolve(1, 1, persist.Failed), prune(persist.Failed, 1), revive(1, 1))
		g.stale([]int{0, 2}, amend(2, 0), insert(2), revive(2, 0))
		g.gone(1, persist.ErrPruned)
		g.is(expect(0, insert(2)))
	}},

	{"what is stale takes no place in the order of ends", func(g *game) {
		g.commit(insert(1), amend(1, 2), insert(2))
		g.stale([]int{0, 1}, resolve(1, 1, persist.Failed), resolve(7, 1, persist.Failed), resolve(2, 0, persist.Failed))
		g.refused(resolve(1, 2, persist.Failed), insert(1))
		g.commit(resolve(1, 2, persist.Failed))
		g.is(expect(1, insert(2), resolve(2, 0, persist.Failed)))
		g.is(expect(2, insert(1), resolve(1, 2, persist.Failed)))
	}},

	{"to forget what is not there is not stale", func(g *game) {
		g.commit(prune(persist.Completed, 1), prune(persist.Failed, 0))
		g.commit(insert(1), prune(persist.Completed, 1))
		g.is(expect(0, insert(1)))
	}},
}
