package events

import (
	"sync/atomic"
	"time"
)

// queue is one subscriber's place in the stream: the events that entered and were
// not yet taken, and the gap behind them if the newest did not fit. It has no lock
// of its own; the bus's guards it.
type queue struct {
	name  string // of the subscriber, for the notices
	limit uint64 // events that may be inside: waiting or in the handler
	need  uint64 // free places that the next event needs: 1, in a gap more

	entered   uint64         // events that ever got in, notices apart
	seen      uint64         // delivered when last looked at; it only grows
	delivered *atomic.Uint64 // of those that entered, how many were handled
	notices   uint64         // loss notices that ever got in
	lost      uint64         // events that ever did not get in

	gap     gap
	waiting chain
	spare   chunks
}

// gap is a run of lost events of which the subscriber does not know yet.
type gap struct {
	count uint64
	seq   uint64    // of the last event lost
	at    time.Time // of the last event lost
}

// put adds a copy of e, or counts it as lost.
func (q *queue) put(e *Event) {
	// The handler's progress, which another core is writing, is looked up only
	// when the queue seems full.
	if q.entered-q.seen+q.need > q.limit {
		q.seen = q.delivered.Load()
		if q.entered-q.seen+q.need > q.limit {
			q.lose(e)
			return
		}
	}
	if q.gap.count > 0 {
		q.tell()
	}
	q.waiting.add(e, &q.spare)
	q.entered++
}

// lose makes e part of the gap. Nothing gets in before some room is free: else a
// subscriber that is always too slow would be given one notice per event. The room
// is small, so that a short burst costs little more than what did not fit.
func (q *queue) lose(e *Event) {
	q.lost++
	q.gap = gap{q.gap.count + 1, e.Seq, e.At}
	q.need = min(max(q.limit/8, 1), 64)
}

// tell ends the gap with a notice in its place. Notices do not count against the
// limit: there is at most one per stretch of room, so they are few.
func (q *queue) tell() {
	q.waiting.add(&Event{
		Seq: q.gap.seq, At: q.gap.at, Kind: EventsLost, Count: q.gap.count, Subscriber: q.name,
	}, &q.spare)
	q.notices++
	q.gap, q.need = gap{}, 1
}

// take returns what waits. A gap with nothing behind it is told now, for the
// subscriber has caught up.
func (q *queue) take() chain {
	if q.gap.count > 0 && q.waiting.first == nil {
		q.tell()
	}
	taken := q.waiting
	q.waiting = chain{}
	return taken
}

// end returns how many entries, notices included, a subscriber has handled once it
// has caught up with everything published until now.
func (q *queue) end() uint64 {
	end := q.entered + q.notices
	if q.gap.count > 0 {
		end++ // the notice that is still to come
	}
	return end
}

// discard counts as lost what follows the handled entries of k. A notice is as if
// it had never been.
func (q *queue) discard(k *chunk, handled int) {
	for ; k != nil; k, handled = k.next, 0 {
		for _, e := range k.events[handled:k.used] {
			if e.Kind == EventsLost {
				q.notices--
			} else {
				q.entered--
				q.lost++
			}
		}
	}
}

// discardAll leaves nothing to take.
func (q *queue) discardAll() {
	q.discard(q.waiting.first, 0)
	q.waiting, q.gap, q.need = chain{}, gap{}, 1
}
