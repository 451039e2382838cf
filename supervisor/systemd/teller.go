package systemd

import (
	"context"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/taskvisor/taskvisor/supervisor"
	"github.com/taskvisor/taskvisor/supervisor/health"
)

// swarm is how long an event is followed by others: one look after it will do for
// all of them, and keeps the cost of a busy tree down.
const swarm = 50 * time.Millisecond

// statusEvery is how often a STATUS is told at most while its word stays the same.
// The service manager tells everybody who listens of each one, and people read no
// faster.
const statusEvery = 5 * time.Second

// teller is one attempt of the task. It begins by telling everything: what a
// failed attempt has told may not have arrived.
type teller struct {
	app interface {
		Readiness() health.Report
		Liveness() health.Report
	}
	send  func(state string) error
	wake  <-chan struct{} // something may have changed
	every time.Duration   // how often to ping; zero is never

	told told
	next time.Time // when the next ping is due; one in the past is held back
}

// run looks, tells what is new, and waits until it may be worth another look.
func (t *teller) run(ctx context.Context) error {
	for {
		report, now := t.app.Readiness(), time.Now()
		held, err := t.tell(report, now)
		if err != nil {
			return err
		}
		ping, err := t.ping(now)
		if err != nil {
			return err
		}
		if !t.wait(ctx, earlier(report.Due, earlier(held, ping))) {
			return t.tellLast()
		}
	}
}

// tell tells what is new, and returns when to look again because of what it has held
// back, or zero.
func (t *teller) tell(report health.Report, now time.Time) (held time.Time, err error) {
	news, held := t.told.news(report, now)
	if news == "" {
		return held, nil
	}
	return held, t.send(news)
}

// tellLast tells what is new and holds nothing back, since nothing follows. So
// whoever is stopped first still says that the root stops.
func (t *teller) tellLast() error {
	t.told.at = time.Time{}
	_, err := t.tell(t.app.Readiness(), time.Now())
	return err
}

// ping tells that the app is alive, if that is due and true, and returns when to
// look again.
func (t *teller) ping(now time.Time) (until time.Time, err error) {
	switch {
	case t.every == 0:
		return time.Time{}, nil
	case now.Before(t.next):
		return t.next, nil
	}
	if live := t.app.Liveness(); !live.Status.OK() || live.Overdue > 0 {
		return now.Add(t.every), nil // or when something changes
	}
	t.next = now.Add(t.every)
	return t.next, t.send(daemon.SdNotifyWatchdog)
}

// wait returns when something has happened, or at the time until, if that is not
// zero. It returns false when ctx has ended.
func (t *teller) wait(ctx context.Context, until time.Time) (goOn bool) {
	var due <-chan time.Time
	if !until.IsZero() {
		timer := time.NewTimer(time.Until(until))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
		return false
	case <-due:
		return true
	case <-t.wake:
	}
	pause := time.NewTimer(swarm)
	defer pause.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-due:
	case <-pause.C:
	}
	return true
}

// earlier returns the earlier of two times, where zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// told is what systemd has been told.
type told struct {
	ready, stopping bool
	word, status    string
	at              time.Time // of the status; zero before the first
}

// news returns what is to be told after a look, one assignment per line, or
// nothing. A status that comes too soon is held back: then there is another look to
// take at the time held, at what is the case by then.
func (t *told) news(report health.Report, now time.Time) (news string, held time.Time) {
	var lines []string
	switch stopping := report.State == supervisor.StateStopping; {
	case stopping && !t.stopping:
		t.stopping = true
		lines = append(lines, daemon.SdNotifyStopping)
	case !stopping && !t.ready && report.Status.OK():
		t.ready = true
		lines = append(lines, daemon.SdNotifyReady)
	}
	word, status := word(report), status(report)
	switch next := t.at.Add(statusEvery); {
	case status == t.status:
	case len(lines) == 0 && word == t.word && now.Before(next):
		held = next
	default:
		t.word, t.status, t.at = word, status, now
		lines = append(lines, "STATUS="+status)
	}
	return strings.Join(lines, "\n"), held
}
