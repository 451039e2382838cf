package persist

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestAHeapGivesTheLowestThatCounts(t *testing.T) {
	for _, rising := range []bool{false, true} {
		heapGivesTheLowest(t, rising)
	}
}

func heapGivesTheLowest(t *testing.T, rising bool) {
	const seed = 7
	r := rand.New(rand.NewPCG(seed, seed))
	out := map[*entry]bool{}
	counts := func(s slot) bool { return !out[s.job] }
	var h heap
	var want []int64
	entries := map[int64]*entry{}
	check := func() {
		t.Helper()
		s, ok := h.first(counts)
		if ok != (len(want) > 0) || ok && s.key != want[0] {
			t.Fatalf("seed %d: first %v %v, want %v", seed, s.key, ok, want[:min(1, len(want))])
		}
	}
	for i := range 20_000 {
		if n := r.IntN(3); n < 2 || len(want) == 0 {
			key := r.Int64()
			if rising {
				key = (int64(i)+r.Int64N(16))<<20 + int64(i) // nearly in order
			}
			e := &entry{}
			entries[key] = e
			h.push(key, e)
			at, _ := slices.BinarySearch(want, key)
			want = slices.Insert(want, at, key)
		} else {
			at := 0
			if r.IntN(2) == 0 {
				at = r.IntN(len(want))
			}
			out[entries[want[at]]] = true
			h.drop(counts)
			want = slices.Delete(want, at, at+1)
		}
		check()
	}
	for len(want) > 0 {
		out[entries[want[0]]] = true
		h.drop(counts)
		want = want[1:]
		check()
	}
	if n := h.size() - h.stale; n != 0 || h.size() != 0 {
		t.Errorf("%d of %d slots are left", n, h.size())
	}
}

func TestAHeapForgetsWhatDoesNotCountAnyMore(t *testing.T) {
	var h heap
	gone := map[int64]bool{}
	counts := func(s slot) bool { return !gone[s.key] }
	const n = 10_000
	for i := range int64(n) {
		h.push(i, nil)
	}
	for i := int64(n - 1); i > 10; i-- { // from the end, so that nothing is found on the way
		gone[i] = true
		h.drop(counts)
	}
	if room := (1+len(h.row.more))*rowPage + cap(h.slots); h.size() > 2100 || room > 4*2100 {
		t.Errorf("%d slots with room for %d, of 11 that count", h.size(), room)
	}
	for want := range int64(11) {
		s, ok := h.first(counts)
		if !ok || s.key != want {
			t.Fatalf("first %d %v, want %d", s.key, ok, want)
		}
		gone[want] = true
		h.drop(counts)
	}
	if s, ok := h.first(counts); ok {
		t.Errorf("still there: %d", s.key)
	}
}

// What comes in order is on pages, and comes and goes without the others being moved.
func TestAHeapOfManyInOrderGoesThroughThem(t *testing.T) {
	const n = 10 * rowPage
	var h heap
	for i := range int64(n) {
		h.push(i, nil)
	}
	for gone := range int64(n) {
		for _, limit := range []int64{gone, gone + 1, gone + rowPage, n} {
			next := gone
			h.below(limit, func(s slot) bool {
				if s.key != next {
					t.Fatalf("after %d: %d, want %d", gone, s.key, next)
				}
				next++
				return next != gone+2*rowPage // it may be enough
			})
			if want := min(limit, n, gone+2*rowPage); next != max(want, gone) {
				t.Fatalf("after %d: up to %d, want %d", gone, next, want)
			}
		}
		if s, inRow := h.head(); s.key != gone || !inRow || h.size() != n-int(gone) {
			t.Fatalf("after %d: %d is the first of %d", gone, s.key, h.size())
		}
		h.pop()
	}
	if h.size() != 0 || len(h.row.more) != 0 {
		t.Errorf("%d slots and %d pages are left", h.size(), 1+len(h.row.more))
	}
}

// While as many come as go, no memory is needed for that, however many wait.
func TestAHeapThatStaysAsLargeNeedsNoMemory(t *testing.T) {
	for _, waiting := range []int64{0, 1, 5, rowPage, 20 * rowPage} {
		var h heap
		var next int64
		push := func() { next++; h.push(next, nil) }
		pass := func() { push(); h.pop() }
		for range waiting {
			push()
		}
		for range 4 * rowPage {
			pass()
		}
		// The list of pages itself moves now and then.
		if n := testing.AllocsPerRun(100*rowPage, pass); n > 0 {
			t.Errorf("%d wait: %v allocations for each that passes", waiting, n)
		}
	}
}

type member struct{ key, at int }

func TestAPileKeepsItsMembersInOrder(t *testing.T) {
	const seed = 11
	r := rand.New(rand.NewPCG(seed, seed))
	p := pile[*member]{before: func(a, b *member) bool { return a.key < b.key }, at: func(m *member) *int { return &m.at }}
	in := map[*member]bool{}
	var all []*member
	for range 64 {
		all = append(all, &member{at: -1})
	}
	for step := range 20_000 {
		m := all[r.IntN(len(all))]
		if r.IntN(3) == 0 {
			p.remove(m)
			delete(in, m)
		} else {
			m.key = r.IntN(100)
			p.fix(m)
			in[m] = true
		}
		if len(p.members) != len(in) {
			t.Fatalf("seed %d, step %d: %d members, want %d", seed, step, len(p.members), len(in))
		}
		for i, m := range p.members {
			if m.at != i || !in[m] {
				t.Fatalf("seed %d, step %d: member %d is at %d", seed, step, i, m.at)
			}
			if up := (i - 1) / 2; i > 0 && p.before(m, p.members[up]) {
				t.Fatalf("seed %d, step %d: member %d goes before %d", seed, step, i, up)
			}
		}
	}
	for last := -1; ; {
		m, ok := p.first()
		if !ok {
			break
		}
		if m.key < last {
			t.Fatalf("seed %d: %d after %d", seed, m.key, last)
		}
		last = m.key
		p.remove(m)
		if m.at != -1 {
			t.Fatalf("seed %d: %d when out", seed, m.at)
		}
	}
}

func TestALaneIsOrderedByPriorityAndThenByID(t *testing.T) {
	l := &lane{kind: &kind{}, at: -1}
	add := func(id ID, p Priority) *entry {
		e := &entry{id: id, priority: p, place: ready, lane: l}
		l.add(e)
		return e
	}
	take := func() ID {
		e := l.head()
		if e == nil {
			return 0
		}
		e.place = running
		l.drop(e)
		return e.id
	}
	add(1, Normal)
	two := add(2, Normal)
	add(3, High)
	add(4, Idle)
	add(5, High)
	if n := l.ahead(two); n != 3 {
		t.Errorf("%d go before, want 3", n)
	}
	var got []ID
	got = append(got, take(), take())
	add(3, Normal) // it comes again, and keeps its place by its number
	add(6, Realtime)
	for id := take(); id != 0; id = take() {
		got = append(got, id)
	}
	if want := []ID{3, 5, 6, 1, 2, 3, 4}; !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
	if l.n != 0 || len(l.tiers) != 0 {
		t.Errorf("%d jobs and %d tiers are left", l.n, len(l.tiers))
	}
}

func TestAHeapTellsAllBelowALimit(t *testing.T) {
	const seed = 11
	r := rand.New(rand.NewPCG(seed, seed))
	for range 300 {
		var h heap
		var keys []int64
		for range r.IntN(60) {
			key := r.Int64N(50)
			h.push(key, nil)
			keys = append(keys, key)
		}
		limit := r.Int64N(55)
		var want, got []int64
		for _, key := range keys {
			if key < limit {
				want = append(want, key)
			}
		}
		h.below(limit, func(s slot) bool { got = append(got, s.key); return true })
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d: below %d of %v: %v", seed, limit, keys, got)
		}
		n := 0
		h.below(limit, func(slot) bool { n++; return n < 3 })
		if n != min(3, len(want)) {
			t.Fatalf("seed %d: told %d of %d, and asked to stop after 3", seed, n, len(want))
		}
	}
}
