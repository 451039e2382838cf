package events_test

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
)

type enum interface {
	~uint8
	fmt.Stringer
	encoding.TextMarshaler
}

type decoder[T any] interface {
	*T
	encoding.TextUnmarshaler
}

func TestEveryLabelGoesThereAndBack(t *testing.T) {
	t.Run("kind", func(t *testing.T) { walk(t, events.SubscriberPanicked) })
	t.Run("outcome", func(t *testing.T) { walk(t, events.Rejected) })
	t.Run("reason", func(t *testing.T) { walk(t, events.ReasonDuplicate) })
}

func walk[T enum, P decoder[T]](t *testing.T, last T) {
	seen := make(map[string]T)
	for v := T(1); v <= last; v++ {
		text, err := v.MarshalText()
		if err != nil {
			t.Errorf("%d has no label", v)
			continue
		}
		if v.String() != string(text) {
			t.Errorf("%d is %q as a string and %q as a text", v, v, text)
		}
		if other, taken := seen[v.String()]; taken {
			t.Errorf("%d and %d are both %q", other, v, v)
		}
		seen[v.String()] = v
		if strings.Trim(v.String(), "abcdefghijklmnopqrstuvwxyz_") != "" {
			t.Errorf("%q is not in snake case", v)
		}
		var back T
		if err := P(&back).UnmarshalText(text); err != nil || back != v {
			t.Errorf("%q comes back as %v, %v", text, back, err)
		}
	}
	if text, err := (last + 1).MarshalText(); err == nil {
		t.Errorf("%d is no value but has the label %q", last+1, text)
	}
	kept := last
	if err := P(&kept).UnmarshalText([]byte("no_such_label")); err == nil || kept != last {
		t.Errorf("an unknown label gives %v, %v", kept, err)
	}
}

// A field that says nothing has no text, so that it can be logged and marshalled; but there
// is no event without a kind.
func TestWhatIsNotSaidHasNoText(t *testing.T) {
	for _, v := range []interface {
		fmt.Stringer
		encoding.TextMarshaler
	}{events.Outcome(0), events.Reason(0), policy.Exit(0)} {
		if text, err := v.MarshalText(); err != nil || len(text) != 0 || v.String() != "" {
			t.Errorf("%T: %q, %q, %v", v, v.String(), text, err)
		}
	}
	reason := events.ReasonBusy
	if err := reason.UnmarshalText(nil); err != nil || reason != 0 {
		t.Errorf("no text is %v, %v", reason, err)
	}
	if text, err := events.Kind(0).MarshalText(); err == nil {
		t.Errorf("no kind has the text %q", text)
	}
}

func TestKindsAreAllKindsInTheirOrder(t *testing.T) {
	ks := events.Kinds()
	if len(ks) != int(events.SubscriberPanicked) {
		t.Errorf("there are %d kinds, want %d", len(ks), events.SubscriberPanicked)
	}
	for i, k := range ks {
		if int(k) != i+1 {
			t.Errorf("%v is in place %d", k, i)
		}
	}
	ks[0] = 0
	if events.Kinds()[0] == 0 {
		t.Error("callers share one slice")
	}
}

func TestAnEventSaysWhatIsSaidAndNothingElse(t *testing.T) {
	for _, row := range []struct {
		sentence string
		event    events.Event
		line     string
		log      string
	}{
		{
			"a kind alone", events.Event{Kind: events.SupervisorStopped},
			`#0 supervisor_stopped`, `e.kind=supervisor_stopped`,
		},
		{
			"an attempt's end states its duration even when it is zero",
			events.Event{Seq: 9, Kind: events.AttemptEnded, Path: "/app/db", ID: 3, Attempt: 2, Generation: 1, Exit: policy.Succeeded},
			`#9 attempt_ended /app/db id=3 attempt=2 generation=1 exit=succeeded elapsed=0s`,
			`e.seq=9 e.kind=attempt_ended e.path=/app/db e.id=3 e.attempt=2 e.generation=1 e.exit=succeeded e.elapsed=0s`,
		},
		{
			"a retry states its delay even when it is zero",
			events.Event{Seq: 1, Kind: events.RetryScheduled, Path: "/db", ID: 1, Attempt: 1, Count: 1, Err: errors.New("refused")},
			`#1 retry_scheduled /db id=1 attempt=1 delay=0s count=1 error="refused"`,
			`e.seq=1 e.kind=retry_scheduled e.path=/db e.id=1 e.attempt=1 e.delay=0s e.count=1 e.error=refused`,
		},
		{
			"outcome and reason are said by their labels",
			events.Event{Seq: 2, Kind: events.TaskFinished, Path: "/db", Outcome: events.Stopped, Reason: events.ReasonShutdown, Elapsed: time.Second},
			`#2 task_finished /db outcome=stopped reason=shutdown elapsed=1s`,
			`e.seq=2 e.kind=task_finished e.path=/db e.outcome=stopped e.reason=shutdown e.elapsed=1s`,
		},
		{
			"a line has the first line of an error only",
			events.Event{Seq: 3, Kind: events.TaskStuck, Path: "/db", Err: errors.New("stuck\ngoroutine 7")},
			`#3 task_stuck /db error="stuck"`,
			`e.seq=3 e.kind=task_stuck e.path=/db e.error="stuck\ngoroutine 7"`,
		},
		{
			"a job is a number and a type in a line, and a group in a log",
			events.Event{
				Seq: 5, Kind: events.JobRetryScheduled, Path: "/app/queue", Count: 1,
				Job: &events.Job{ID: 42, Type: "media/resize", Key: "k", Attempt: 1, Tags: []events.Tag{{Key: "tenant", Value: "a"}}},
			},
			`#5 job_retry_scheduled /app/queue job=42 type=media/resize delay=0s count=1`,
			`e.seq=5 e.kind=job_retry_scheduled e.path=/app/queue e.job.id=42 e.job.type=media/resize e.job.key=k` +
				` e.job.priority=0 e.job.attempt=1 e.job.tags.tenant=a e.delay=0s e.count=1`,
		},
		{
			"a job says all that it has to say",
			events.Event{Seq: 6, Kind: events.JobProgressed, Job: &events.Job{
				ID: 1, Type: "t", Domain: "d", Key: "k", Label: "l", Group: "g", Priority: 7, Attempt: 2, Progress: 0.5, Message: "half",
			}},
			`#6 job_progressed job=1 type=t`,
			`e.seq=6 e.kind=job_progressed e.job.id=1 e.job.type=t e.job.domain=d e.job.key=k e.job.label=l e.job.group=g` +
				` e.job.priority=7 e.job.attempt=2 e.job.progress=0.5 e.job.message=half`,
		},
		{
			"all jobs of a type have no number",
			events.Event{Seq: 7, Kind: events.JobTypeUnknown, Job: &events.Job{Type: "t"}, Count: 3},
			`#7 job_type_unknown type=t count=3`,
			`e.seq=7 e.kind=job_type_unknown e.job.id=0 e.job.type=t e.job.priority=0 e.count=3`,
		},
		{
			"a loss names its subscriber",
			events.Event{Seq: 4, Kind: events.EventsLost, Count: 12, Subscriber: "audit"},
			`#4 events_lost count=12 subscriber=audit`,
			`e.seq=4 e.kind=events_lost e.count=12 e.subscriber=audit`,
		},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			if line := row.event.String(); line != row.line {
				t.Errorf("the line is\n%s, want\n%s", line, row.line)
			}
			if log := logged(row.event); log != row.log {
				t.Errorf("the log is\n%s, want\n%s", log, row.log)
			}
		})
	}
}

// logged returns e as slog's own text handler writes it.
func logged(e events.Event) string {
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key != "e" {
				return slog.Attr{}
			}
			return a
		},
	})).Info("", "e", e)
	return strings.TrimSpace(b.String())
}

func TestASubscriberThatCannotWorkIsRefused(t *testing.T) {
	good := events.Subscriber{Name: "audit", Handler: events.HandlerFunc(func(events.Event) {})}
	for _, row := range []struct {
		sentence string
		change   func(*events.Subscriber)
		field    string // empty: it is accepted
	}{
		{"a name and a handler are enough", func(*events.Subscriber) {}, ""},
		{"the largest queue is legal", func(s *events.Subscriber) { s.Queue = events.MaxQueue }, ""},
		{"notices of losses may be named", func(s *events.Subscriber) { s.Kinds = []events.Kind{events.EventsLost} }, ""},
		{"the name is missing", func(s *events.Subscriber) { s.Name = "" }, "Name"},
		{"the handler is missing", func(s *events.Subscriber) { s.Handler = nil }, "Handler"},
		{"the handler is a nil function", func(s *events.Subscriber) { s.Handler = events.HandlerFunc(nil) }, "Handler"},
		{"the queue is negative", func(s *events.Subscriber) { s.Queue = -1 }, "Queue"},
		{"the queue is too large", func(s *events.Subscriber) { s.Queue = events.MaxQueue + 1 }, "Queue"},
		{"a kind is zero", func(s *events.Subscriber) { s.Kinds = []events.Kind{0} }, "Kinds[0]"},
		{"a kind is unknown", func(s *events.Subscriber) { s.Kinds = []events.Kind{events.TaskAdded, 99} }, "Kinds[1]"},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			s := good
			row.change(&s)
			err := s.Validate()
			if row.field == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var refused *policy.FieldError
			if !errors.As(err, &refused) || refused.Field != row.field || !errors.Is(err, policy.ErrInvalid) {
				t.Errorf("the error is %v, want one about %s", err, row.field)
			}
			if _, again := new(events.Bus).Subscribe(s); again == nil || again.Error() != err.Error() {
				t.Errorf("Subscribe says %v, want the same", again)
			}
		})
	}
}
