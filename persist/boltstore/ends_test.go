package boltstore

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/taskvisor/taskvisor/persist"
)

// pastOf is what a history of ends should be, by its places.
type pastOf map[uint64]struct {
	kind persist.Ending
	id   persist.ID
}

// of returns the ends of some kinds before a place, the latest first.
func (p pastOf) of(kinds []persist.Ending, before uint64) (list []end) {
	for seq, e := range p {
		if slices.Contains(kinds, e.kind) && (before == 0 || seq < before) {
			list = append(list, end{seq, e.id})
		}
	}
	slices.SortFunc(list, func(a, b end) int { return cmp.Compare(b.seq, a.seq) })
	return list
}

// Whatever is added, revived and forgotten, committed or taken back, the ends are those that a
// plain map has.
func TestEndsAreThoseOfTheirModel(t *testing.T) {
	kinds := []persist.Ending{persist.Completed, persist.Failed, persist.DeadLetter}
	for seed := range uint64(30) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		var e ends
		model := pastOf{}
		tx, seq, id := 1, uint64(0), persist.ID(0)
		e.last = tx
		for range 300 {
			next, at := maps.Clone(model), seq
			for range rnd.IntN(30) {
				kind := kinds[rnd.IntN(len(kinds))]
				switch rnd.IntN(8) {
				case 0: // revive one
					list := next.of(kinds, 0)
					if len(list) == 0 {
						continue
					}
					gone := list[rnd.IntN(len(list))].seq
					e.revive(next[gone].kind, gone)
					delete(next, gone)
				case 1:
					n := rnd.IntN(40)
					want := next.of([]persist.Ending{kind}, 0)
					slices.Reverse(want)
					want = want[:min(n, len(want))]
					if got := e.take(kind, n, nil); !slices.Equal(got, want) {
						t.Fatalf("seed %d: %d are forgotten: %v, want %v", seed, n, got, want)
					}
					for _, w := range want {
						delete(next, w.seq)
					}
				default:
					at, id = at+1, id+1
					e.add(kind, end{at, id})
					next[at] = struct {
						kind persist.Ending
						id   persist.ID
					}{kind, id}
				}
			}
			e.begin(tx + 1)
			seen(t, &e, tx, model, kinds, rnd)
			if rnd.IntN(3) == 0 {
				e.takeBack()
				continue
			}
			seen(t, &e, tx+1, next, kinds, rnd)
			e.end()
			tx, model, seq = tx+1, next, at
			seen(t, &e, tx, model, kinds, rnd)
			if _, _, ok := e.latest(tx-1, kinds, 0, 1); ok {
				t.Fatal("a transaction that is over still sees something")
			}
		}
	}
}

// seen compares what a transaction sees.
func seen(t *testing.T, e *ends, tx int, model pastOf, kinds []persist.Ending, rnd *rand.Rand) {
	t.Helper()
	asked := kinds[:1+rnd.IntN(len(kinds))]
	before := uint64(0)
	if list := model.of(kinds, 0); len(list) > 0 && rnd.IntN(2) == 0 {
		before = list[rnd.IntN(len(list))].seq
	}
	got, _, ok := e.latest(tx, asked, before, 1<<20)
	if !ok {
		t.Fatal("the present is not seen")
	}
	if want := model.of(asked, before); !slices.Equal(got, want) {
		t.Fatalf("ends before %d: %v, want %v", before, got, want)
	}
	if n := min(3, len(got)); n > 0 {
		if few, _, _ := e.latest(tx, asked, before, n); !slices.Equal(few, got[:n]) {
			t.Fatalf("the last %d: %v, want %v", n, few, got[:n])
		}
	}
}

// The order of ends is that of before when a file is opened again.
func TestTheOrderOfEndsIsFoundInTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jobs.db")
	s := open(t, path, Options{})
	sample(t, s)
	before, err := s.Past(ctx, persist.PastQuery{Limit: 1000})
	if err != nil || len(before) == 0 {
		t.Fatal(len(before), err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path, Options{})
	after, err := s.Past(ctx, persist.PastQuery{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	ids := func(list []*persist.Job) (ids []persist.ID) {
		for _, j := range list {
			ids = append(ids, j.ID)
		}
		return ids
	}
	if !slices.Equal(ids(before), ids(after)) {
		t.Errorf("before %v, after %v", ids(before), ids(after))
	}
}

// Forgotten ends do not stay in memory.
func TestATrailIsAsLongAsWhatItHolds(t *testing.T) {
	var e ends
	for i := range uint64(100_000) {
		e.add(persist.Completed, end{i + 1, persist.ID(i + 1)})
		if i >= 5000 {
			e.take(persist.Completed, 1, nil)
		}
		e.end()
	}
	if n := len(e.trails[persist.Completed].list); n > 2*5000+1 {
		t.Errorf("%d ends are held, of which 5000 count", n)
	}
}

// While jobs end and are forgotten, whoever lists them sees each commit as a whole, in its order.
func TestPastIsOfOneMoment(t *testing.T) {
	s := open(t, newPath(t), Options{NoSync: true})
	const together, rounds = 10, 300
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				list, err := s.Past(ctx, persist.PastQuery{Limit: 100})
				if err != nil {
					t.Error(err)
					return
				}
				if len(list)%together != 0 || len(list) > 2*together {
					t.Errorf("%d jobs are listed, and in each commit there are 10 or 20", len(list))
					return
				}
				for i := 1; i < len(list); i++ {
					if list[i].End.Seq+1 != list[i-1].End.Seq {
						t.Errorf("place %d comes after %d", list[i].End.Seq, list[i-1].End.Seq)
						return
					}
				}
			}
		})
	}
	id := persist.ID(1)
	for round := range rounds {
		var steps []persist.Step
		for range together {
			steps = append(steps, insert(id, 10), persist.Step{Verb: persist.Resolve, ID: id, End: persist.End{Kind: persist.Completed}})
			id++
		}
		if round%2 == 1 {
			steps = append(steps, prune(persist.Completed, together))
		}
		commit(t, s, steps...)
		if round%2 == 0 && round > 0 {
			commit(t, s, prune(persist.Completed, together))
		}
	}
	close(stop)
	wg.Wait()
}

func TestWhatIsUntouchedFollowsTheCommits(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var u untouched
	model := map[persist.ID]bool{}
	for range 500 {
		next := maps.Clone(model)
		for range rnd.IntN(50) {
			id := persist.ID(rnd.IntN(4 * pageOf))
			if rnd.IntN(2) == 0 {
				u.add(id)
				next[id] = true
			} else {
				u.remove(id)
				delete(next, id)
			}
		}
		if rnd.IntN(3) == 0 {
			u.takeBack()
		} else {
			u.keep()
			model = next
		}
		for id := range persist.ID(4 * pageOf) {
			if u.has(id) != model[id] {
				t.Fatalf("job %d: %v", id, u.has(id))
			}
		}
	}
	for id := range model {
		u.remove(id)
	}
	if len(u.pages) != 0 {
		t.Errorf("%d pages are left", len(u.pages))
	}
}
