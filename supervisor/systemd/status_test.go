package systemd

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/supervisor"
	"github.com/taskvisor/taskvisor/supervisor/health"
)

func TestTheStatusIsOneLineForPeople(t *testing.T) {
	const running, starting, stopping = supervisor.StateRunning, supervisor.StateStarting, supervisor.StateStopping
	retry := time.Date(2024, 5, 1, 15, 4, 5, 6, time.Local)
	for _, row := range []struct {
		sentence string
		report   health.Report
		want     string
	}{
		{"all is well", health.Report{Status: health.StatusReady, State: running, Tasks: 12}, "ready: 12 tasks"},
		{"a start that waits for nobody", health.Report{State: starting, Path: "/app"}, "starting"},
		{"a start names the one that it waits for, however deep", health.Report{State: starting, Path: "/app", Problems: []health.Problem{
			{Path: "/app", State: starting, Waiting: "/app/db"},
			{Path: "/app/http", State: starting},
			{Path: "/app/db", State: starting, Waiting: "/app/db/pool"},
			{Path: "/app/db/pool", State: supervisor.StateBackingOff, NextRetry: retry, Error: "connection refused"},
		}}, "starting: /app/db/pool backing_off until 15:04:05: connection refused"},
		{"and if that is not among the problems named", health.Report{State: starting, Path: "/app", Problems: []health.Problem{
			{Path: "/app", State: starting, Waiting: "/app/db"},
		}}, "starting: waiting for /app/db"},
		{"a stop that waits", health.Report{State: stopping, Path: "/app", Problems: []health.Problem{
			{Path: "/app", State: stopping, Waiting: "/app/db"},
		}}, "stopping, waiting for /app/db"},
		{"of several problems the worst is named", health.Report{Status: health.StatusNotReady, State: running, Path: "/app", More: 2, Problems: []health.Problem{
			{Path: "/app/a", State: supervisor.StateStopping, Reason: events.ReasonStalled, Error: "old"}, {Path: "/app/b"},
		}}, "not ready: /app/a stopping (stalled): old (and 3 more)"},
		{"a stuck task is told by its error", health.Report{Status: health.StatusNotReady, State: running, Path: "/app", Problems: []health.Problem{
			{Path: "/app/a", State: supervisor.StateStuck, Reason: events.ReasonTimeout, Error: "has not returned within its grace (timeout)"},
		}}, "not ready: /app/a stuck: has not returned within its grace (timeout)"},
		{"control characters are spaces", health.Report{Status: health.StatusNotReady, State: running, Problems: []health.Problem{
			{Path: "/app/a", State: supervisor.StateFailed, Error: "one\n\ttwo\x00\x1bthree \xff"},
		}}, "not ready: /app/a failed: one two three ?"},
	} {
		if got := status(row.report); got != row.want {
			t.Errorf("%s:\n %s, want\n %s", row.sentence, got, row.want)
		}
	}
}

func TestALongStatusIsCutBetweenTwoCharacters(t *testing.T) {
	for _, text := range []string{strings.Repeat("x", MaxStatus+1), strings.Repeat("é", MaxStatus), "x" + strings.Repeat("日本", MaxStatus)} {
		if got := oneLine(text); len(got) > MaxStatus || len(got) < MaxStatus-3 || !utf8.ValidString(got) || !strings.HasSuffix(got, "...") {
			t.Errorf("%.10q is cut to %d bytes: %q", text, len(got), got)
		}
	}
	if text := strings.Repeat("x", MaxStatus); oneLine(text) != text {
		t.Error("a text of the right length is cut")
	}
}
