package systemd

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/taskvisor/taskvisor/supervisor"
	"github.com/taskvisor/taskvisor/supervisor/health"
)

// MaxStatus is how many bytes the text of a STATUS has at most.
const MaxStatus = 512

// status says in one line how the app is. Times are times of day, because the line
// is read later than it is written.
func status(report health.Report) string {
	text := word(report)
	switch {
	case report.State == supervisor.StateStopping:
		if root := problem(report, report.Path); root != nil && root.Waiting != "" {
			text += ", waiting for " + root.Waiting
		}
	case report.State == supervisor.StateStarting:
		text += blame(report, report.Path)
	case len(report.Problems) == 0:
		text += ": " + tasks(report.Tasks)
	default:
		text += blame(report, report.Problems[0].Path)
		if more := len(report.Problems) + report.More - 1; more > 0 {
			text += fmt.Sprintf(" (and %d more)", more)
		}
	}
	return oneLine(text)
}

// word is how a status begins. A new one is told at once.
func word(report health.Report) string {
	switch {
	case report.State == supervisor.StateStopping:
		return "stopping"
	case report.State == supervisor.StateStarting:
		return "starting"
	case report.Status == health.StatusReady:
		return "ready"
	case report.Status == health.StatusDegraded:
		return "ready, but degraded"
	}
	return "not ready"
}

func tasks(n int) string {
	if n == 1 {
		return "1 task"
	}
	return fmt.Sprintf("%d tasks", n)
}

// blame says what is wrong at path, or rather with the one for which that waits.
func blame(report health.Report, path string) string {
	p := problem(report, path)
	for p != nil && p.Waiting != "" {
		q := problem(report, p.Waiting)
		if q == nil {
			return ": waiting for " + p.Waiting
		}
		p = q
	}
	if p == nil || p.Path == report.Path {
		return ""
	}
	text := fmt.Sprintf(": %s %v", p.Path, p.State)
	switch {
	case p.SettlesIn > 0:
		text += " again, but not for long enough"
	case !p.NextRetry.IsZero():
		text += " until " + p.NextRetry.Format(time.TimeOnly)
	case p.Reason != 0 && p.State != supervisor.StateStuck: // the error of a stuck one says it
		text += fmt.Sprintf(" (%v)", p.Reason)
	}
	if p.Error != "" {
		text += ": " + p.Error
	}
	return text
}

// problem finds the one of a path, or nil.
func problem(report health.Report, path string) *health.Problem {
	for i := range report.Problems {
		if p := &report.Problems[i]; p.Path == path {
			return p
		}
	}
	return nil
}

// oneLine makes a text fit for an assignment: a line of UTF-8 of bounded length.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	text = strings.Join(strings.Fields(text), " ")
	if len(text) <= MaxStatus {
		return text
	}
	const more = "..."
	end := MaxStatus - len(more)
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + more
}
