package storetest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/taskvisor/taskvisor/persist"
)

// everything asks both stores all that can be asked.
func (m *match) everything() error {
	for id := range m.last + 3 {
		if err := m.look(id); err != nil {
			return err
		}
	}
	for _, name := range types {
		if err := m.list(persist.PastQuery{Type: name}); err != nil {
			return err
		}
	}
	for _, kind := range persist.Endings() {
		if err := m.list(persist.PastQuery{Kinds: []persist.Ending{kind}}); err != nil {
			return err
		}
	}
	return m.pages()
}

// look asks for one job. What is said of an ID that was left out is left open.
func (m *match) look(id persist.ID) error {
	if _, ok := slices.BinarySearch(m.known, id); !ok && id != 0 && id <= m.last {
		return nil
	}
	want, wantErr := m.reference.Job(m.ctx, id)
	got, err := m.subject.Job(m.ctx, id)
	if told(err) != told(wantErr) {
		return fmt.Errorf("job %d: %s, want %s", id, told(err), told(wantErr))
	}
	if err == nil {
		if d := diff(want, got); d != "" {
			return fmt.Errorf("job %d: %s", id, d)
		}
	}

	wantPayload, wantErr := m.reference.Payload(m.ctx, id)
	payload, err := m.subject.Payload(m.ctx, id)
	if told(err) != told(wantErr) {
		return fmt.Errorf("payload of job %d: %s, want %s", id, told(err), told(wantErr))
	}
	if d := diff(wantPayload, payload); d != "" {
		return fmt.Errorf("payload of job %d%s", id, d)
	}
	return nil
}

// told says of an error what the contract does.
func told(err error) string {
	switch {
	case err == nil:
		return "no error"
	case errors.Is(err, persist.ErrNotFound):
		return "ErrNotFound"
	case errors.Is(err, persist.ErrPruned):
		return "ErrPruned"
	}
	return "error " + err.Error()
}

// list asks for jobs that have ended.
func (m *match) list(q persist.PastQuery) error {
	want, err := m.reference.Past(m.ctx, q)
	if err != nil {
		return err
	}
	got, err := m.subject.Past(m.ctx, q)
	if err != nil {
		return fmt.Errorf("past %s: %w", show(q), err)
	}
	if d := diffJobs(want, got); d != "" {
		return fmt.Errorf("past %s: %s", show(q), d)
	}
	if err := payloadless(got); err != nil {
		return fmt.Errorf("past %s: %w", show(q), err)
	}
	return nil
}

// pages asks for all that have ended, three at a time.
func (m *match) pages() error {
	q := persist.PastQuery{Limit: 3}
	for {
		if err := m.list(q); err != nil {
			return err
		}
		page, err := m.reference.Past(m.ctx, q)
		if err != nil || len(page) == 0 {
			return err
		}
		q.Before = page[len(page)-1].End.Seq
	}
}

// show says what is asked for.
func show(q persist.PastQuery) string {
	return fmt.Sprintf("(kinds %v, type %q, before %d, limit %d)", q.Kinds, q.Type, q.Before, q.Limit)
}

func payloadless(jobs []*persist.Job) error {
	for _, j := range jobs {
		if j.Payload != nil {
			return fmt.Errorf("job %d is listed with a payload", j.ID)
		}
	}
	return nil
}
