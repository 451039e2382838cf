package storetest

import (
	"slices"

	"github.com/taskvisor/taskvisor/persist"
)

// history ends the jobs 1 to 12 in that order, every third as failed, every fourth of the
// others as cancelled, and the rest as completed. Their types take turns.
func (g *game) history() {
	g.Helper()
	for id := range persist.ID(12) {
		id++
		kind := persist.Completed
		switch {
		case id%3 == 0:
			kind = persist.Failed
		case id%4 == 0:
			kind = persist.Cancelled
		}
		g.commit(insert(id), resolve(id, 0, kind))
	}
	g.commit(insert(13))
}

var pasts = []scenario{
	{"the past is listed from its end, whatever the IDs", func(g *game) {
		g.commit(insert(1), insert(2), insert(3), insert(300))
		g.commit(resolve(300, 0, persist.Failed), resolve(2, 0, persist.Completed), resolve(3, 0, persist.Failed), resolve(1, 0, persist.Expired))
		g.wantPast(persist.PastQuery{}, 1, 3, 2, 300)
	}},

	{"the past is listed as it is known, but for the payloads", func(g *game) {
		g.history()
		past := g.past(persist.PastQuery{})
		if err := payloadless(past); err != nil {
			g.Error(err)
		}
		for _, j := range past {
			want := g.job(j.ID)
			want.Payload = nil
			if d := diff(want, j); d != "" {
				g.Errorf("job %d: %s", j.ID, d)
			}
			scribble(j)
		}
		g.wantPast(persist.PastQuery{Limit: 2}, 12, 11)
	}},

	{"the past can be asked for page by page", func(g *game) {
		g.history()
		g.wantPast(persist.PastQuery{Limit: 5}, 12, 11, 10, 9, 8)
		g.wantPast(persist.PastQuery{Limit: 5, Before: 8}, 7, 6, 5, 4, 3)
		g.wantPast(persist.PastQuery{Limit: 5, Before: 3}, 2, 1)
		g.wantPast(persist.PastQuery{Limit: 5, Before: 1})
		g.wantPast(persist.PastQuery{Limit: 2, Before: 1 << 60}, 12, 11)
		g.wantPast(persist.PastQuery{Limit: 12, Before: 1<<64 - 1}, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1)
	}},

	{"the past can be asked for by how jobs ended", func(g *game) {
		g.history()
		failed := []persist.Ending{persist.Failed}
		g.wantPast(persist.PastQuery{Kinds: failed}, 12, 9, 6, 3)
		g.wantPast(persist.PastQuery{Kinds: failed, Limit: 2}, 12, 9)
		g.wantPast(persist.PastQuery{Kinds: failed, Before: 9}, 6, 3)
		g.wantPast(persist.PastQuery{Kinds: []persist.Ending{persist.DeadLetter}})
		g.wantPast(persist.PastQuery{Kinds: []persist.Ending{persist.Cancelled, persist.Failed}}, 12, 9, 8, 6, 4, 3)
		g.wantPast(persist.PastQuery{Kinds: []persist.Ending{persist.Failed, persist.Cancelled}, Before: 8, Limit: 2}, 6, 4)
		g.wantPast(persist.PastQuery{Kinds: []persist.Ending{persist.Failed, persist.Failed}}, 12, 9, 6, 3)
		g.wantPast(persist.PastQuery{Kinds: persist.Endings(), Limit: 3}, 12, 11, 10)
	}},

	{"the past can be asked for by type, of which all is said", func(g *game) {
		g.history()
		g.wantPast(persist.PastQuery{Type: "a"}, 12, 8, 4)
		g.wantPast(persist.PastQuery{Type: "ab"}, 9, 5, 1)
		g.wantPast(persist.PastQuery{Type: "a/b"}, 10, 6, 2)
		g.wantPast(persist.PastQuery{Type: "a", Limit: 2}, 12, 8)
		g.wantPast(persist.PastQuery{Type: "a", Before: 12, Limit: 1}, 8)
		g.wantPast(persist.PastQuery{Type: "b", Kinds: []persist.Ending{persist.Failed}}, 3)
		g.wantPast(persist.PastQuery{Type: "/"})
		g.wantPast(persist.PastQuery{Type: "a/bc"})
	}},

	{"a query without a limit has that of a page", func(g *game) {
		var steps []persist.Step
		var want []persist.ID
		for id := range persist.ID(persist.DefaultPage + 5) {
			steps = append(steps, insert(id+1), resolve(id+1, 0, persist.Completed))
			want = append(want, id+1)
		}
		g.commit(steps...)
		slices.Reverse(want)
		g.wantPast(persist.PastQuery{}, want[:persist.DefaultPage]...)
		g.wantPast(persist.PastQuery{Limit: persist.DefaultPage + 1}, want[:persist.DefaultPage+1]...)
		g.wantPast(persist.PastQuery{Limit: 1 << 30}, want...)
	}},
}
