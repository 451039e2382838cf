package events

// delivery is what a subscription's goroutine knows for itself.
type delivery struct {
	batch    *chunk // what is being handled, and what follows it
	done     int    // entries of the first chunk that were handled
	total    uint64 // entries that were ever handled
	handling bool   // the handler has been called and has not returned
	spent    chunks // emptied since the last visit to the queue
	panicked panics
}

// run is the subscription's goroutine.
func (s *Subscription) run() {
	finished := false
	defer func() {
		// A handler called runtime.Goexit: another goroutine takes over.
		if !finished {
			s.start()
		}
	}()
	s.goroutine.Store(goroutine())
	for more := true; more; more = s.take() {
		s.handleBatch()
	}
	finished = true
}

// handleBatch hands over the rest of the batch, whatever the handler does.
func (s *Subscription) handleBatch() {
	w := &s.work
	for w.batch != nil {
		for w.done < w.batch.used {
			s.handleSome()
		}
		k := w.batch
		w.batch, w.done = k.empty(), 0
		w.spent.push(k)
	}
	s.tellPanics()
}

// handleSome hands over events up to the end of the chunk or to the first panic.
func (s *Subscription) handleSome() {
	defer s.caught()
	w := &s.work
	for w.done < w.batch.used {
		e := &w.batch.events[w.done]
		w.handling = true
		s.handler.Handle(*e)
		w.handling = false
		s.handled(e.Kind)
	}
}

// handled accounts for one entry.
func (s *Subscription) handled(k Kind) {
	s.work.done++
	s.work.total++
	if k == EventsLost {
		s.told.Add(1)
	} else {
		s.delivered.Add(1)
	}
	// Who sets next looks at the counters afterwards, and here it is the other
	// way round, so one of the two sees that the place was reached.
	if s.work.total >= s.next.Load() {
		s.arrive()
	}
}

// arrive tells those who wait for what has been handled, and cuts the batch short
// if the rest is to be discarded.
func (s *Subscription) arrive() {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	s.reach(s.work.total)
	if s.dropping {
		w := &s.work
		s.queue.discard(w.batch, w.done)
		clear(w.batch.events[w.done:])
		w.batch.used, w.batch.next = w.done, nil
	}
}

// take waits for the next batch. It reports false at the end of the subscription.
func (s *Subscription) take() bool {
	b, w := s.bus, &s.work
	for {
		b.mu.Lock()
		s.queue.spare.pour(&w.spent)
		if s.dropping {
			s.queue.discardAll()
		}
		w.batch = s.queue.take().first
		if w.batch != nil {
			b.mu.Unlock()
			return true
		}
		if s.parted {
			b.forget(s)
			b.mu.Unlock()
			return false
		}
		s.asleep = true
		b.mu.Unlock()
		<-s.wake
	}
}
