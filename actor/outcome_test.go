package actor_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
)

// mute is an error whose text cannot be had.
type mute struct{}

func (mute) Error() string { panic("no text") }

var outcomes = []struct {
	name    string
	outcome actor.Outcome
	text    string
	json    string
}{
	{"one that has not ended", actor.Outcome{}, "not ended", `{"kind":"","attempts":0}`},
	{"a success", actor.Outcome{Kind: events.Completed, Attempts: 1}, "completed after 1 attempt(s)", `{"kind":"completed","attempts":1}`},
	{
		"a failure", actor.Outcome{Kind: events.Failed, Attempts: 3, Err: errors.New("no disk")},
		"failed after 3 attempt(s): no disk", `{"kind":"failed","attempts":3,"error":"no disk"}`,
	},
	{
		"a stop", actor.Outcome{Kind: events.Stopped, Reason: events.ReasonReplaced, Attempts: 1, StopErr: errors.New("half done")},
		"stopped (replaced) after 1 attempt(s)", `{"kind":"stopped","reason":"replaced","attempts":1,"stop_error":"half done"}`,
	},
	{
		"a rejection", actor.Outcome{Kind: events.Rejected, Reason: events.ReasonBusy, Err: &actor.RejectedError{Path: "/app/job", Key: "k", Reason: events.ReasonBusy}},
		"rejected (busy)", `{"kind":"rejected","reason":"busy","attempts":0,"error":"task /app/job: not let in for key \"k\": busy"}`,
	},
}

func TestAnOutcomeCanBeWrittenAsTextAndAsJSON(t *testing.T) {
	for _, row := range outcomes {
		t.Run(row.name, func(t *testing.T) {
			if got := row.outcome.String(); got != row.text {
				t.Errorf("text: %q, want %q", got, row.text)
			}
			text, err := json.Marshal(row.outcome)
			if err != nil || string(text) != row.json {
				t.Errorf("JSON: %s, %v; want %s", text, err, row.json)
			}
			var back actor.Outcome
			if err := json.Unmarshal(text, &back); err != nil || back.Kind != row.outcome.Kind || back.Reason != row.outcome.Reason || back.Attempts != row.outcome.Attempts {
				t.Errorf("back: %+v, %v", back, err)
			}
			if (back.Err == nil) != (row.outcome.Err == nil) || (back.StopErr == nil) != (row.outcome.StopErr == nil) {
				t.Errorf("back: %+v", back)
			}

			var log bytes.Buffer
			slog.New(slog.NewJSONHandler(&log, nil)).Info("ended", "outcome", row.outcome)
			if strings.Contains(log.String(), "!ERROR") || !strings.Contains(log.String(), `"kind":"`+row.outcome.Kind.String()) {
				t.Errorf("log: %s", &log)
			}
		})
	}
}

func TestAnErrorWithoutATextDoesNotCostTheOutcome(t *testing.T) {
	text, err := json.Marshal(actor.Outcome{Kind: events.Failed, Attempts: 1, Err: mute{}})
	if err != nil || !strings.Contains(string(text), "PANIC") {
		t.Errorf("%s, %v", text, err)
	}
}
