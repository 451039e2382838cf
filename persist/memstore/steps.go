package memstore

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/taskvisor/taskvisor/persist"
)

// check says what is wrong with steps, if anything. mu is held.
func (m *Memory) check(steps []persist.Step) error {
	last := m.last
	for i := range steps {
		s := &steps[i]
		switch s.Verb {
		case persist.Insert:
			if s.Record == nil {
				return fmt.Errorf("step %d: insert without a record", i)
			}
			if s.Record.ID <= last {
				return fmt.Errorf("step %d: insert of job %d after job %d", i, s.Record.ID, last)
			}
			last = s.Record.ID
		case persist.Resolve:
			if s.End.Kind == 0 || s.End.Kind > persist.DependencyFailed {
				return fmt.Errorf("step %d: %v is no end", i, s.End.Kind)
			}
		case persist.Amend, persist.Revive, persist.Prune:
		default:
			return fmt.Errorf("step %d: there is no verb %d", i, s.Verb)
		}
	}
	return nil
}

// apply takes the steps, which check has found to be right, and returns which are stale.
// mu is held.
func (m *Memory) apply(steps []persist.Step) (stale []int) {
	for i := range steps {
		if !m.take(&steps[i]) {
			stale = append(stale, i)
		}
	}
	return stale
}

// take takes one step, or returns false if it is stale.
func (m *Memory) take(s *persist.Step) bool {
	switch s.Verb {
	case persist.Insert:
		m.last = s.Record.ID
		m.put(persist.Job{Record: *s.Record, State: s.Record.InitialState()})

	case persist.Amend:
		j := m.jobs[s.ID]
		if j == nil || j.Ended() || j.Fence > s.State.Fence {
			return false
		}
		m.put(persist.Job{Record: j.Record, State: s.State})

	case persist.Resolve:
		j := m.jobs[s.ID]
		if j == nil || j.Ended() || j.Fence > s.State.Fence {
			return false
		}
		m.seq++
		end := s.End
		end.Seq = m.seq
		m.put(persist.Job{Record: j.Record, State: s.State, End: &end})

	case persist.Revive:
		j := m.jobs[s.ID]
		if j == nil || !j.Ended() {
			return false
		}
		m.put(persist.Job{Record: j.Record, State: s.State})

	case persist.Prune:
		past := m.past(func(j *persist.Job) bool { return j.End.Kind == s.Kind })
		for _, j := range past[:min(max(s.Count, 0), len(past))] {
			delete(m.jobs, j.ID)
		}
	}
	return true
}

// put makes a copy of j what is known of that job.
func (m *Memory) put(j persist.Job) { m.jobs[j.ID] = clone(&j) }

// past returns the jobs that have ended and fit, the first that ended first. They are not
// copies.
func (m *Memory) past(fits func(*persist.Job) bool) []*persist.Job {
	var past []*persist.Job
	for _, j := range m.jobs {
		if j.Ended() && fits(j) {
			past = append(past, j)
		}
	}
	slices.SortFunc(past, func(a, b *persist.Job) int { return cmp.Compare(a.End.Seq, b.End.Seq) })
	return past
}

// clone returns a copy of j that shares nothing, and has nothing that a disk could not
// hold: no reading of a monotonic clock and no function.
func clone(j *persist.Job) *persist.Job {
	c := *j
	c.Tags, c.Payload = slices.Clone(j.Tags), slices.Clone(j.Payload)
	c.Submitted, c.Record.RunAt = j.Submitted.Round(0), j.Record.RunAt.Round(0)
	c.Rules.Backoff.Custom = nil
	c.State.RunAt, c.Expires = j.State.RunAt.Round(0), j.Expires.Round(0)
	if j.Last != nil {
		last := *j.Last
		last.At = last.At.Round(0)
		c.Last = &last
	}
	if j.End != nil {
		end := *j.End
		end.At = end.At.Round(0)
		c.End = &end
	}
	return &c
}

// listed returns a copy as listings have it: without the payload.
func listed(j *persist.Job) *persist.Job {
	c := *j
	c.Payload = nil
	return clone(&c)
}
