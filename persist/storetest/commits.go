package storetest

import (
	"slices"

	"github.com/taskvisor/taskvisor/persist"
)

var commits = []scenario{
	{"a commit of nothing changes nothing", func(g *game) {
		g.commit(insert(1))
		before := g.picture()
		g.commit()
		g.stale(nil, []persist.Step{}...)
		g.unchanged(before)
	}},

	{"an insert that is not higher than all before is refused, with all of its commit", func(g *game) {
		g.commit(insert(3), insert(5), insert(6), resolve(6, 0, persist.Failed))
		g.commit(insert(7), resolve(7, 0, persist.Cancelled), prune(persist.Cancelled, 1))
		good := []persist.Step{
			insert(8), amend(3, 9), resolve(5, 0, persist.Completed), revive(6, 1), prune(persist.Failed, 1),
		}
		for _, id := range []persist.ID{0, 1, 3, 4, 5, 6, 7} {
			g.refused(insert(id))
			g.refused(slices.Concat(good, []persist.Step{insert(id)})...)
			g.refused(slices.Concat([]persist.Step{insert(id)}, good)...)
		}
		g.refused(insert(8), insert(8))
		g.refused(insert(9), insert(8))
		g.wantNext(8)
		g.commit(good...)
		g.is(expect(3, insert(5), resolve(5, 0, persist.Completed)))
	}},

	{"a step that means nothing is refused, with all of its commit", func(g *game) {
		g.commit(insert(1), insert(2), resolve(2, 0, persist.Failed))
		for _, bad := range []persist.Step{
			{},
			{Verb: persist.Prune + 1, ID: 1},
			{Verb: persist.Insert},
			{Verb: persist.Resolve, ID: 1},
			resolve(1, 0, persist.DependencyFailed+1),
		} {
			g.refused(bad)
			g.refused(insert(3), amend(1, 1), revive(2, 0), bad, insert(4))
		}
	}},

	{"IDs may be left out", func(g *game) {
		g.commit(insert(5))
		g.commit(insert(9), insert(200))
		g.wantNext(1)
		g.reopen()
		g.wantLive(5, 9, 200)
		g.wantNext(201)
		g.gone(201, persist.ErrNotFound)
	}},

	{"what an insert says is its record, and nothing else", func(g *game) {
		s := insert(7)
		s.ID, s.State, s.End, s.Kind, s.Count = 3, state(9, 0xff), persist.End{Kind: persist.Failed}, persist.Failed, 7
		g.commit(s)
		g.is(expect(0, insert(7)))
		g.gone(8, persist.ErrNotFound)
	}},

	{"what any other step says of other verbs is ignored", func(g *game) {
		other := func(s persist.Step) persist.Step {
			s.Record = record(1, 0xff)
			if s.Verb != persist.Resolve {
				s.End = persist.End{Kind: persist.Failed, Seq: 99}
			}
			if s.Verb == persist.Prune {
				s.ID, s.State = 1, state(9, 9)
			} else {
				s.Kind, s.Count = persist.Failed, 9
			}
			return s
		}
		g.commit(insert(1), insert(2), resolve(2, 0, persist.Failed))
		g.commit(other(amend(1, 1)), other(resolve(1, 2, persist.Completed)), other(revive(1, 3)), other(prune(persist.Expired, 1)))
		g.is(expect(0, insert(1), revive(1, 3)))
		g.wantPast(persist.PastQuery{}, 2)
	}},

	{"what a commit was given is the caller's again after it", func(g *game) {
		const id = 29 // of which everything is said
		given := func() []persist.Step { return []persist.Step{insert(id), amend(id, 1)} }
		steps := given()
		g.commit(steps...)
		record := steps[0].Record
		clear(record.Payload)
		clear(record.Tags)
		*record, *steps[1].State.Last = persist.Record{ID: id + 1}, persist.Failure{}
		clear(steps)
		g.is(expect(0, given()...))
	}},

	{"a commit whose context has ended is done or not, as it says", func(g *game) {
		g.commit(insert(1), insert(2))
		before := g.picture()
		if _, err := g.store.Commit(expired(), []persist.Step{insert(3), amend(1, 1)}); err != nil {
			g.unchanged(before)
			g.commit(insert(3), amend(1, 1))
		}
		g.is(expect(0, insert(1), amend(1, 1)))
		g.is(expect(0, insert(3)))
	}},
}
