package sloglog_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/sloglog"
)

var (
	noon    = time.Date(2024, 5, 17, 12, 0, 0, 0, time.UTC)
	failure = events.Event{
		Seq: 7, Kind: events.AttemptEnded, At: noon, ID: 3, Path: "/app/db", Attempt: 2, Generation: 2, Exit: policy.Failed,
		Elapsed: 40 * time.Millisecond, Err: errors.New("connection refused"),
	}
)

// keeper is a slog.Handler that keeps what it is given.
type keeper struct {
	least   slog.Level
	records []slog.Record
}

func (k *keeper) Enabled(_ context.Context, l slog.Level) bool { return l >= k.least }
func (k *keeper) WithAttrs([]slog.Attr) slog.Handler           { panic("not called") }
func (k *keeper) WithGroup(string) slog.Handler                { panic("not called") }

func (k *keeper) Handle(_ context.Context, r slog.Record) error {
	k.records = append(k.records, r)
	return errors.New("no space left") // of which nobody must know
}

func TestARecordIsItsEvent(t *testing.T) {
	k := &keeper{least: slog.LevelDebug}
	sloglog.New(slog.New(k)).Handle(failure)

	if len(k.records) != 1 {
		t.Fatalf("there are %d records", len(k.records))
	}
	r := k.records[0]
	if !r.Time.Equal(noon) || r.Level != slog.LevelWarn || r.Message != "attempt failed" || r.Source() != nil {
		t.Errorf("the record is %+v", r)
	}
	var attrs []slog.Attr
	r.Attrs(func(a slog.Attr) bool {
		attrs = append(attrs, a)
		return true
	})
	if want := failure.LogValue().Group(); !slices.EqualFunc(attrs, want, slog.Attr.Equal) {
		t.Errorf("the attributes are %v, want %v", attrs, want)
	}
}

func TestTheLevelOfTheLoggerRules(t *testing.T) {
	for _, row := range []struct {
		least slog.Level
		want  int
	}{{slog.LevelDebug, 2}, {slog.LevelWarn, 1}, {slog.LevelError, 0}} {
		k := &keeper{least: row.least}
		l := sloglog.New(slog.New(k))
		l.Handle(events.Event{Kind: events.AttemptStarted, At: noon, Path: "/app/db"})
		l.Handle(failure)
		if got := len(k.records); got != row.want {
			t.Errorf("from %v on there are %d records, want %d", row.least, got, row.want)
		}
	}
}

func TestTheRulesAreThoseOfTheLogger(t *testing.T) {
	k := &keeper{}
	l := &sloglog.Logger{Log: slog.New(k), EscalateAfter: 2, Interval: time.Hour, Healthy: time.Second}
	for i, elapsed := range []time.Duration{0, 0, 0, time.Second} {
		e := failure
		e.At, e.Elapsed = noon.Add(time.Duration(i)*time.Minute), elapsed
		l.Handle(e)
	}
	var messages []string
	for _, r := range k.records {
		messages = append(messages, r.Message)
	}
	want := []string{"attempt failed", "attempt keeps failing", "task recovered", "attempt failed"}
	if !slices.Equal(messages, want) {
		t.Errorf("the records are %q, want %q", messages, want)
	}
}

func TestWithoutALoggerTheDefaultOfTheMomentIsUsed(t *testing.T) {
	was := slog.Default()
	defer slog.SetDefault(was)

	var zero sloglog.Logger
	for _, l := range []*sloglog.Logger{sloglog.New(nil), &zero} {
		var out bytes.Buffer
		slog.SetDefault(slog.New(slog.NewTextHandler(&out, nil)))
		l.Handle(failure)
		if got := out.String(); !strings.Contains(got, `msg="attempt failed" seq=7 kind=attempt_ended path=/app/db`) {
			t.Errorf("the default has %q", got)
		}
	}
}

func TestTheSubscriberIsGivenEverything(t *testing.T) {
	s := sloglog.New(nil).Subscriber()
	if err := s.Validate(); err != nil || s.Name != "slog" || s.Kinds != nil {
		t.Errorf("the subscriber is %+v, %v", s, err)
	}
}

func TestWhatIsNotEnabledAllocatesNothing(t *testing.T) {
	l := sloglog.New(slog.New(&keeper{least: slog.LevelInfo}))
	e := events.Event{Kind: events.AttemptStarted, At: noon, Path: "/app/db", Attempt: 1}
	if n := testing.AllocsPerRun(100, func() { l.Handle(e) }); n != 0 {
		t.Errorf("it allocates %v times", n)
	}
}
