package main

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
)

const story = `ALERT: /app/report gave up: no such table
ALERT: /app/mail failed 3 times within 10s: connection refused
ALERT: /app/upload is stuck: task /app/upload: attempt 1 has not returned for 100ms after it was told to
RESOLVED: /app/mail
RESOLVED: /app/upload
the app has ended: task /app/report: no such table
`

func TestEachTroubleIsAlertedOnceAndResolved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		run(t.Context(), &out)
		if got := out.String(); got != story {
			t.Errorf("got:\n%swant:\n%s", got, story)
		}
	})
}

// The rows are about two failures within ten seconds, and a minute to cool down.
func TestWhenSomebodyIsCalled(t *testing.T) {
	at := func(seconds int, e events.Event) events.Event {
		e.At, e.Path, e.Err = time.Unix(int64(seconds), 0), "/db", errors.New("refused")
		return e
	}
	failed := events.Event{Kind: events.AttemptEnded, Exit: policy.Failed}
	worked := events.Event{Kind: events.AttemptEnded, Exit: policy.Succeeded}
	gaveUp := events.Event{Kind: events.TaskFinished, Outcome: events.Failed}
	tooOften := events.Event{Kind: events.IntensityExceeded}
	ready, removed := events.Event{Kind: events.TaskReady}, events.Event{Kind: events.TaskRemoved}
	const (
		failing  = "ALERT: /db failed 2 times within 10s: refused"
		resolved = "RESOLVED: /db"
	)
	for _, row := range []struct {
		sentence string
		events   []events.Event
		want     []string
	}{
		{"failures far apart are none of its business", []events.Event{at(0, failed), at(11, failed), at(22, failed)}, nil},
		{"failures in a short time are", []events.Event{at(0, failed), at(11, failed), at(20, failed)}, []string{failing}},
		{"the same path is not told again at once", []events.Event{at(0, failed), at(1, failed), at(2, failed), at(3, gaveUp)}, []string{failing}},
		{"but after a while", []events.Event{at(0, failed), at(1, failed), at(60, failed), at(61, failed)}, []string{failing, failing}},
		{"what was not alerted is not resolved", []events.Event{at(0, failed), at(1, worked), at(2, ready)}, nil},
		{"what was is resolved once", []events.Event{at(0, failed), at(1, failed), at(2, ready), at(3, worked)}, []string{failing, resolved}},
		{"a supervisor may be in trouble too", []events.Event{at(0, tooOften)}, []string{"ALERT: /db has children that fail too often: refused"}},
		{"a removed task is forgotten", []events.Event{at(0, failed), at(1, removed), at(2, failed)}, nil},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			var got []string
			a := &alerter{
				notify:   func(text string) { got = append(got, text) },
				failures: 2, window: 10 * time.Second, coolDown: time.Minute, tasks: map[string]*trouble{},
			}
			for _, e := range row.events {
				a.Handle(e)
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}
