package persist

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"
)

// stingy is a codec that returns the same bytes again and again.
type stingy struct{ bytes []byte }

func (*stingy) Name() string                { return "stingy" }
func (*stingy) Unmarshal([]byte, any) error { return nil }
func (s *stingy) Marshal(v any) ([]byte, error) {
	s.bytes = append(s.bytes[:0], v.(string)...)
	return s.bytes, nil
}

func TestPayloadsOfABatchAreThoseOfSingleSubmissions(t *testing.T) {
	type in struct {
		Text string
		More map[string]any
	}
	typed := Define[in]("typed")
	texts := Define[string]("text")
	raw := []byte("as it is")
	subs := []Submission{
		typed.New(in{Text: "<&> \u2028 line\nline", More: map[string]any{"b": 1, "a": nil}}),
		typed.New(in{}),
		Raw("raw", raw),
		Raw("raw", nil),
		Raw("raw", []byte{}),
		texts.New(""),
		texts.New("short"),
		texts.New(strings.Repeat("large", ownMemory)),
		texts.New(strings.Repeat("x", ownMemory-10)),
		texts.New("last"),
	}
	for _, codec := range []Codec{JSON, &stingy{}} {
		together := scribe{batch: true, left: len(subs)}
		var got, want [][]byte
		for i := range subs {
			if _, other := codec.(*stingy); other && subs[i].def == &typed.def {
				continue
			}
			alone := scribe{}
			one, err := alone.payload(&subs[i], codec)
			many, otherErr := together.payload(&subs[i], codec)
			if err != nil || otherErr != nil {
				t.Fatal(err, otherErr)
			}
			got, want = append(got, many), append(want, bytes.Clone(one))
		}
		for i := range got {
			if !bytes.Equal(got[i], want[i]) || (got[i] == nil) != (want[i] == nil) {
				t.Errorf("%s, %d: %.50q, want %.50q", codec.Name(), i, got[i], want[i])
			}
			if cap(got[i]) > len(got[i]) && len(got[i]) < ownMemory && len(got[i]) > 0 {
				t.Errorf("%s, %d: who appends writes into the next one", codec.Name(), i)
			}
		}
	}
	raw[0] = 'X' // the caller goes on
	if text, _ := (&scribe{batch: true, left: 1}).payload(&subs[2], JSON); string(text) != "Xs it is" {
		t.Error(string(text))
	}
}

// The order of a batch is kept when one of it cannot be encoded, and the next one is not harmed.
func TestAnInputThatCannotBeEncodedHarmsNoOther(t *testing.T) {
	anything := Define[any]("anything")
	w := scribe{batch: true, left: 3}
	for _, row := range []struct {
		in   any
		want string
	}{{"before", `"before"`}, {func() {}, ""}, {panics{}, ""}, {"after", `"after"`}} {
		s := anything.New(row.in)
		got, err := w.payload(&s, JSON)
		if string(got) != row.want || (err != nil) != (row.want == "") {
			t.Errorf("%T: %q, %v", row.in, got, err)
		}
	}
}

// Who writes the next batch begins with the same memory, and gives each piece of it to one payload.
func TestPayloadsOfABatchDoNotOverlap(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	w := scribe{batch: true}
	for round := range 20 {
		sizes := make([]int, 50+random.IntN(200))
		w.left = len(sizes)
		payloads := make([][]byte, len(sizes))
		for i := range sizes {
			sizes[i] = random.IntN(ownMemory + 10)
			s := Raw("raw", bytes.Repeat([]byte{byte(i)}, sizes[i]))
			payloads[i], _ = w.payload(&s, JSON)
		}
		for i, p := range payloads {
			if len(p) != sizes[i] || bytes.Count(p, []byte{byte(i)}) != len(p) {
				t.Fatalf("round %d: payload %d of %d bytes is another's", round, i, sizes[i])
			}
		}
		w.clear()
	}
}

// What is left on a tray would be said of a job of another batch.
func TestATrayIsPutBackEmpty(t *testing.T) {
	q := New(Config{})
	subs := make([]Submission, leastKept)
	for i := range subs {
		subs[i] = Raw("raw", []byte{byte(i)}, WithDelay(time.Second))
	}
	tray := takeTray(len(subs))
	all, _, err := q.prepare(tray, subs, nil)
	if err != nil {
		t.Fatal(err)
	}
	tray.yield(all)
	tray.putBack()
	for i := range tray.records {
		if !reflect.ValueOf(&tray.records[i]).Elem().IsZero() {
			t.Fatalf("%d: %+v", i, tray.records[i])
		}
	}
	if len(tray.places) != 0 {
		t.Errorf("%d places", len(tray.places))
	}
}

type panics struct{}

func (panics) MarshalJSON() ([]byte, error) { panic("on purpose") }

var _ json.Marshaler = panics{}

// A job that is kept must not keep the memory of its whole batch.
func TestWhatIsKeptOfABatchHasMemoryOfItsOwn(t *testing.T) {
	q := New(Config{})
	for _, n := range []int{1, 2, leastKept + 1} {
		subs := make([]Submission, n)
		for i := range subs {
			subs[i] = Raw("raw", []byte("payload"))
		}
		all, _, err := q.prepare(takeTray(n), subs, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range all {
			j := p.lasting()
			if string(j.Payload) != "payload" || j.Type != "raw" || !j.Submitted.Equal(p.job.Submitted) {
				t.Errorf("%d of %d: %+v", i, n, j)
			}
			if own := n == 1; own != (j == &p.job) || own != (unsafe.SliceData(j.Payload) == unsafe.SliceData(p.job.Payload)) {
				t.Errorf("%d of %d: it shares its memory", i, n)
			}
		}
	}
}

// The digests of a batch are made beside the rest, in parts. They are those of the same submissions alone.
func TestTheDigestsOfABatchAreThoseOfItsJobsAlone(t *testing.T) {
	q := New(Config{})
	for _, size := range []int{0, 1, 300, partSize, 3 * partSize} {
		for _, n := range []int{2, 3, 200, 2000} {
			if n*size > 8<<20 {
				continue
			}
			subs := make([]Submission, n)
			for i := range subs {
				payload := bytes.Repeat([]byte{'x'}, size)
				copy(payload, strconv.Itoa(i))
				switch subs[i] = Raw("raw", payload); i % 5 {
				case 3:
					subs[i].opts = []Option{WithKey(strconv.Itoa(i))}
				case 4:
					subs[i].opts = []Option{WithoutKey()}
				}
			}
			all, _, err := q.prepare(takeTray(n), subs, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i, p := range all {
				alone, _, err := q.prepare(takeTray(1), subs[i:i+1], nil)
				if err != nil {
					t.Fatal(err)
				}
				if got, want := p.job.Digest, alone[0].job.Digest; got != want || got.IsZero() != (i%5 == 4) {
					t.Fatalf("%d of %d with %d bytes: %x, want %x", i, n, size, got, want)
				}
			}
		}
	}
}
