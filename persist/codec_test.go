package persist_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
	"github.com/taskvisor/taskvisor/policy"
)

// plain is a codec of bytes that copies nothing.
type plain struct{}

func (plain) Name() string                       { return "plain" }
func (plain) Marshal(v any) ([]byte, error)      { return v.([]byte), nil }
func (plain) Unmarshal(data []byte, v any) error { *v.(*[]byte) = data; return nil }

// What was submitted is stored, whatever becomes of the input when Submit has returned.
func TestAnInputMayBeUsedAgain(t *testing.T) {
	for _, row := range []struct {
		what  string
		opts  []persist.Option
		stuck bool // the store, until the input was used again
		want  error
	}{
		{"after it is stored", nil, false, nil},
		{"before it is stored", []persist.Option{persist.WithDurability(persist.Relaxed)}, false, nil},
		{"while nobody knows whether it is stored", nil, true, persist.ErrUnknown},
	} {
		t.Run(row.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mem := memstore.New()
				kind := persist.Define[[]byte]("plain", persist.WithCodec(plain{}), persist.WithoutKey())
				r := hang(t, persist.Config{Store: mem, Workers: persist.NoWorkers, RelaxedDelay: time.Second})
				hold := make(chan struct{})
				if !row.stuck {
					close(hold)
				}
				mem.BeforeCommit(func(context.Context, []persist.Step) error { <-hold; return nil })
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				buf := []byte("first")
				_, err := kind.Submit(ctx, r.Queue, buf, row.opts...)
				isError(t, "submit", err, row.want)
				copy(buf, "spoil")
				if row.stuck {
					close(hold)
				}
				elapse(time.Minute)
				same(t, "stored", string(r.look(1).Payload), "first")
			})
		})
	}
}

// moody is a codec that panics when asked to.
type moody struct{ name, marshal, unmarshal any }

func (m moody) Name() string {
	if m.name != nil {
		panic(m.name)
	}
	return "moody"
}

func (m moody) Marshal(any) ([]byte, error) {
	if m.marshal != nil {
		panic(m.marshal)
	}
	return []byte("x"), nil
}

func (m moody) Unmarshal([]byte, any) error { panic(m.unmarshal) }

// mine panics when it is decoded.
type mine struct{}

func (mine) MarshalJSON() ([]byte, error)  { return []byte("{}"), nil }
func (*mine) UnmarshalJSON(b []byte) error { panic("boom") }

// what is submitted of a type whose inputs cannot be decoded, as the panic says.
func undecodable[In any](t *testing.T, kind *persist.Type[In], text string) {
	t.Helper()
	entered := false
	r := hang(t, persist.Config{Handlers: []persist.Handler{kind.Handle(func(context.Context, In) error { entered = true; return nil })}})
	var in In
	j := r.wait(must(t)(kind.Submit(t.Context(), r.Queue, in, persist.WithMaxRetries(5), oneSecond)).ID)
	if j.End.Kind != persist.Failed || j.Attempts != 1 || j.Last.Exit != policy.Fatal || !strings.Contains(j.Last.Text, text) || entered {
		t.Errorf("it ended as %v after %d attempts: %+v", j.End.Kind, j.Attempts, j.Last)
	}
	var panicked *actor.PanicError
	if _, err := kind.Decode(r.Queue, j.Payload); !errors.As(err, &panicked) || len(panicked.Stack) == 0 || !strings.Contains(err.Error(), text) {
		t.Errorf("decode: %v", err)
	}
}

func TestACodecThatPanicsWhenItDecodesIsAFailureForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		undecodable(t, persist.Define[string]("a", persist.WithCodec(moody{unmarshal: "boom"})), "codec moody: panic: boom")
		undecodable(t, persist.Define[string]("b", persist.WithCodec(moody{unmarshal: errOops})), "oops")
		undecodable(t, persist.Define[string]("c", persist.WithCodec(moody{unmarshal: "boom", name: "nameless"})), "boom")
		undecodable(t, persist.Define[mine]("d"), "codec json: panic: boom")
	})
}

func TestACodecThatPanicsWhenItEncodesIsToldOfWhateverItIsCalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := hang(t, persist.Config{})
		for name, codec := range map[string]moody{
			"moody":    {marshal: "boom"},
			"nameless": {marshal: "boom", name: "nameless"},
		} {
			_, err := persist.Define[string](name, persist.WithCodec(codec)).Submit(t.Context(), r.Queue, "x")
			var payload *persist.PayloadError
			if !errors.As(err, &payload) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "boom") {
				t.Errorf("%s: error %v", name, err)
			}
		}
	})
}
