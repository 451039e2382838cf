package register

import (
	"math/rand/v2"
	"testing"
)

// number is what values are called.
type number uint64

func TestARegisterIsWhatAMapWouldBe(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 1))
		r := Of[number, int]{}
		want := map[number]*int{} // where they stand
		for range 2000 {
			id := number(random.IntN(1000) * (1 + int(seed%3)*pageSize)) // side by side, or each on a page of its own
			if want[id] == nil && random.IntN(2) == 0 {
				want[id] = r.Add(id, int(id))
			} else if want[id] != nil {
				r.Remove(id)
				delete(want, id)
			}
			if r.Find(id) != want[id] || r.Len() != len(want) {
				t.Fatalf("seed %d: %d is %v, want %v; there are %d, want %d", seed, id, r.Find(id), want[id], r.Len(), len(want))
			}
		}
		r.Remove(1 << 40) // nobody's
		all := map[*int]bool{}
		for value := range r.All() {
			all[value] = true
		}
		if len(all) != len(want) {
			t.Fatalf("seed %d: of %d values %d are listed", seed, len(want), len(all))
		}
		for id, value := range want {
			if !all[value] {
				t.Fatalf("seed %d: %d is not listed", seed, id)
			}
			if r.Find(id) != value || *value != int(id) {
				t.Fatalf("seed %d: %d is another", seed, id)
			}
			r.Remove(id)
		}
		if len(r.pages) != 0 || r.Len() != 0 {
			t.Errorf("seed %d: %d pages and %d values are left", seed, len(r.pages), r.Len())
		}
	}
}
