package controller

import (
	"math/rand/v2"
	"testing"

	"github.com/taskvisor/taskvisor/events"
)

func TestARegisterIsWhatAMapWouldBe(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 1))
		r := register{pages: map[events.ID]*page{}}
		want := map[events.ID]*Ticket{}
		for range 2000 {
			id := events.ID(random.IntN(1000) * (1 + int(seed%3)*pageSize)) // side by side, or each on a page of its own
			if want[id] == nil && random.IntN(2) == 0 {
				want[id] = &Ticket{}
				r.add(id, want[id])
			} else if want[id] != nil {
				r.remove(id)
				delete(want, id)
			}
			if r.find(id) != want[id] || r.n != len(want) {
				t.Fatalf("seed %d: %d is %v, want %v; there are %d, want %d", seed, id, r.find(id), want[id], r.n, len(want))
			}
		}
		for id, ticket := range want {
			if r.find(id) != ticket {
				t.Fatalf("seed %d: %d is another", seed, id)
			}
			r.remove(id)
		}
		if len(r.pages) != 0 || r.n != 0 {
			t.Errorf("seed %d: %d pages and %d tickets are left", seed, len(r.pages), r.n)
		}
	}
}
