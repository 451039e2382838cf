package zaplog_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/zaplog"
)

var (
	noon    = time.Date(2024, 5, 17, 12, 0, 0, 0, time.UTC)
	boom    = &actor.PanicError{Value: "boom", Stack: []byte("main.work()\n\t/src/main.go:7\n")}
	failure = events.Event{
		Seq: 7, Kind: events.AttemptEnded, At: noon, ID: 3, Path: "/app/db", Attempt: 2, Generation: 2, Exit: policy.Panicked,
		Elapsed: 40 * time.Millisecond, Err: boom,
	}
)

func TestAnEntryIsItsEventWithTypedFields(t *testing.T) {
	core, log := observer.New(zap.DebugLevel)
	zaplog.New(zap.New(core)).Handle(failure)

	entries := log.All()
	if len(entries) != 1 {
		t.Fatalf("there are %d entries", len(entries))
	}
	if e := entries[0]; !e.Time.Equal(noon) || e.Level != zap.WarnLevel || e.Message != "attempt failed" {
		t.Errorf("the entry is %+v", e.Entry)
	}
	want := []zap.Field{
		zap.Uint64("seq", 7),
		zap.String("kind", "attempt_ended"),
		zap.String("path", "/app/db"),
		zap.Uint64("id", 3),
		zap.Int64("attempt", 2),
		zap.Int64("generation", 2),
		zap.String("exit", "panicked"),
		zap.Duration("elapsed", 40*time.Millisecond),
		zap.NamedError("error", boom),
		zap.String("stack", string(boom.Stack)),
	}
	if got := entries[0].Context; !reflect.DeepEqual(got, want) {
		t.Errorf("the fields are %v, want %v", got, want)
	}
}

func TestTheLoggerAddsItsNameAndFieldsButNoCallerAndNoStack(t *testing.T) {
	core, log := observer.New(zap.DebugLevel)
	own := zap.New(core, zap.AddCaller(), zap.AddStacktrace(zap.DebugLevel), zap.Fields(zap.String("host", "a"))).Named("tree")
	zaplog.New(own).Handle(failure)

	e := log.All()[0]
	if e.Caller.Defined || e.Stack != "" {
		t.Errorf("the entry shows the subscriber: %v\n%s", e.Caller, e.Stack)
	}
	if e.LoggerName != "tree" || e.ContextMap()["host"] != "a" {
		t.Errorf("the entry is %+v", e)
	}
	own.Info("by the owner")
	if e := log.All()[1]; !e.Caller.Defined || e.Stack == "" {
		t.Error("the owner's logger has been changed")
	}
}

func TestTheLevelOfTheLoggerRules(t *testing.T) {
	for _, row := range []struct {
		least zapcore.Level
		want  []zapcore.Level
	}{
		{zap.DebugLevel, []zapcore.Level{zap.DebugLevel, zap.InfoLevel, zap.WarnLevel, zap.ErrorLevel}},
		{zap.InfoLevel, []zapcore.Level{zap.InfoLevel, zap.WarnLevel, zap.ErrorLevel}},
		{zap.WarnLevel, []zapcore.Level{zap.WarnLevel, zap.ErrorLevel}},
		{zap.ErrorLevel, []zapcore.Level{zap.ErrorLevel}},
		{zap.DPanicLevel, nil},
	} {
		core, log := observer.New(row.least)
		l := zaplog.New(zap.New(core, zap.Development()))
		for _, k := range []events.Kind{events.TaskAdded, events.SupervisorStarted, events.EventsLost, events.TaskStuck} {
			l.Handle(events.Event{Kind: k, At: noon})
		}
		var got []zapcore.Level
		for _, e := range log.All() {
			got = append(got, e.Level)
		}
		if !reflect.DeepEqual(got, row.want) {
			t.Errorf("from %v on there are %v, want %v", row.least, got, row.want)
		}
	}
}

func TestTheRulesAreThoseOfTheLogger(t *testing.T) {
	core, log := observer.New(zap.InfoLevel)
	l := &zaplog.Logger{Log: zap.New(core), EscalateAfter: 3, Interval: time.Hour, Healthy: time.Second}
	for i, elapsed := range []time.Duration{0, 0, 0, 0, time.Second} {
		e := failure
		e.At, e.Elapsed = noon.Add(time.Duration(i)*time.Minute), elapsed
		l.Handle(e)
	}
	var told []string
	for _, e := range log.All() {
		fields := e.ContextMap()
		told = append(told, fmt.Sprint(e.Message, " ", fields["failures"], " ", fields["repeats"]))
	}
	want := []string{"attempt failed <nil> <nil>", "attempt keeps failing 3 1", "task recovered 4 1", "attempt failed <nil> <nil>"}
	if !reflect.DeepEqual(told, want) {
		t.Errorf("the entries are %q, want %q", told, want)
	}
}

func TestWithoutALoggerTheGlobalOneOfTheMomentIsUsed(t *testing.T) {
	var zero zaplog.Logger
	for _, l := range []*zaplog.Logger{zaplog.New(nil), &zero} {
		l.Handle(failure) // to nobody
		for range 2 {
			core, log := observer.New(zap.InfoLevel)
			restore := zap.ReplaceGlobals(zap.New(core))
			l.Handle(events.Event{Kind: events.EventsLost, At: noon, Subscriber: "zap", Count: 3})
			restore()
			if n := log.FilterMessage("events lost").Len(); n != 1 {
				t.Errorf("the global logger has %d entries", n)
			}
		}
	}
}

// rude is an error without a text, verbose one that has more to say.
type (
	rude    struct{}
	verbose struct{}
)

func (rude) Error() string                   { panic("no text") }
func (verbose) Error() string                { return "short" }
func (v verbose) Format(f fmt.State, _ rune) { fmt.Fprint(f, "at length") }

func TestAnErrorMayBeAnything(t *testing.T) {
	for _, row := range []struct {
		sentence string
		err      error
		want     string
	}{
		{"of several lines", errors.New("one\ntwo"), `"error":"one\ntwo"`},
		{"rude", rude{}, `"error":"%!v(PANIC=Error method: no text)"`},
		{"a nil pointer", (*actor.SpecError)(nil), `"error":"<nil>"`},
		{"with more to say", verbose{}, `"error":"short","errorVerbose":"at length"`},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			var out bytes.Buffer
			core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(&out), zap.InfoLevel)
			e := failure
			e.Err = row.err
			zaplog.New(zap.New(core)).Handle(e)

			if got := out.String(); !strings.Contains(got, row.want) || !json.Valid(out.Bytes()) {
				t.Errorf("%s is missing in %s", row.want, got)
			}
		})
	}
}

func TestAnEntryThatCannotBeWrittenIsReportedToTheOwner(t *testing.T) {
	var complaints bytes.Buffer
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), full{}, zap.InfoLevel)
	zaplog.New(zap.New(core, zap.ErrorOutput(zapcore.AddSync(&complaints)))).Handle(failure)
	if got := complaints.String(); !strings.Contains(got, "no space left") {
		t.Errorf("the owner is told %q", got)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }
func (full) Sync() error               { return nil }

func TestTheSubscriberIsGivenEverything(t *testing.T) {
	s := zaplog.New(nil).Subscriber()
	if err := s.Validate(); err != nil || s.Name != "zap" || s.Kinds != nil {
		t.Errorf("the subscriber is %+v, %v", s, err)
	}
}

func TestWhatIsNotEnabledAllocatesNothing(t *testing.T) {
	core, _ := observer.New(zap.InfoLevel)
	l := zaplog.New(zap.New(core))
	e := events.Event{Kind: events.AttemptStarted, At: noon, Path: "/app/db", Attempt: 1}
	if n := testing.AllocsPerRun(100, func() { l.Handle(e) }); n != 0 {
		t.Errorf("it allocates %v times", n)
	}
}
