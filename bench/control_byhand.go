package main

import (
	"container/list"
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"
)

// byHand is what one would write for submissions that wait for a key and can be cancelled, and for
// nothing else: a list, a map, and one lock for both. Nothing ever runs.
type byHand struct {
	mu      sync.Mutex
	last    uint64
	waiting map[uint64]*list.Element
	keys    map[string]*list.List
}

// waiter is a submission, with room for its outcome.
type waiter struct {
	id    uint64
	key   string
	task  body
	ended chan error
}

func (h *byHand) submit(key string) uint64 {
	w := &waiter{key: key, task: nothing, ended: make(chan error, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last++
	w.id = h.last
	queue := h.keys[key]
	if queue == nil {
		queue = list.New()
		h.keys[key] = queue
	}
	h.waiting[w.id] = queue.PushBack(w)
	return w.id
}

func (h *byHand) withdraw(id uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := h.waiting[id]
	delete(h.waiting, id)
	w := at.Value.(*waiter)
	h.keys[w.key].Remove(at)
	w.ended <- context.Canceled
}

// piece is as much memory as a submission that waits takes, with a look to the next.
type piece struct {
	next *piece
	_    [696]byte
}

func measureLooks(_ peer, size scale) (figures, error) {
	all := make([]*piece, size.many)
	for i := range all {
		all[i] = &piece{}
	}
	order := rand.Perm(len(all))
	for i, at := range order {
		all[at].next = all[order[(i+1)%len(all)]]
	}
	at := all[0]
	const looks = 1000
	took, err := timed(size.spell, looks, func() (time.Duration, error) {
		begin := time.Now()
		for range looks {
			at = at.next
		}
		return time.Since(begin), nil
	})
	if at == nil {
		err = errors.New("a piece leads nowhere")
	}
	return figures{"look": took}, err
}

// cancelsByHand is cancels for what is written by hand.
func cancelsByHand(size scale, figure string, waiting, keys int, pick picks) (figures, error) {
	h := &byHand{waiting: map[uint64]*list.Element{}, keys: map[string]*list.List{}}
	names := make([]string, keys)
	for k := range names {
		names[k] = strconv.Itoa(k)
	}
	ids := make([]uint64, waiting)
	for i := range ids {
		ids[i] = h.submit(names[i%keys])
	}
	took, err := timed(size.spell, handful, func() (time.Duration, error) {
		at := pick(len(ids))
		var some [handful]uint64
		for i, j := range at {
			some[i] = ids[j]
		}
		begin := time.Now()
		for _, id := range some {
			h.withdraw(id)
		}
		took := time.Since(begin)
		for i, j := range at {
			ids[j] = h.submit(names[i%keys])
		}
		return took, nil
	})
	return figures{figure: took}, err
}
