package persist

import "time"

// remind keeps the agenda after a change of what is due.
func (b *book) remind(e *entry, before instant) {
	due := e.due()
	if due == before {
		return
	}
	if before != 0 {
		b.agenda.drop(isDue)
	}
	if due != 0 {
		first, any := b.agenda.first(isDue)
		b.agenda.push(int64(due), e)
		if !any || int64(due) < first.key {
			poke(b.alarm)
		}
	}
}

func isDue(s slot) bool { return int64(s.job.due()) == s.key }

// mature moves what is due, and returns what has expired and when to look again.
func (b *book) mature(now instant) (expired []*entry, next instant) {
	for {
		first, ok := b.agenda.first(isDue)
		if !ok {
			return expired, 0
		}
		if first.key > int64(now) {
			return expired, instant(first.key)
		}
		e := first.job
		if e.expired(now) {
			b.move(e, leaving, 0)
			expired = append(expired, e)
			continue
		}
		b.move(e, ready, now)
	}
}

// keepTime looks whether the wall clock was set, before times of day are read or written.
func (b *book) keepTime(now time.Time) {
	if by := b.clock.look(now); by != 0 {
		b.shift(by)
	}
}

// shift moves what follows the wall clock, after that was set.
func (b *book) shift(by time.Duration) {
	for at := range b.jobs.All() {
		e := *at
		if e.absolute && (e.place == delayed || e.place == blocked || e.place == arriving || e.place == leaving) {
			b.move(e, e.place, max(e.when-instant(by), 1))
		}
	}
	poke(b.alarm)
}
