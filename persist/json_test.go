package persist

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"
)

// inner and outer have what encoding/json treats in a way of its own.
type inner struct {
	Same  string `json:"same"`
	Other *int   `json:"other,omitempty"`
}

type shy string

func (s *shy) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errors.New("nothing")
	}
	*s = shy(strings.ToUpper(string(text)))
	return nil
}

type loud struct{ raw string }

func (l *loud) UnmarshalJSON(data []byte) error {
	l.raw = string(data)
	return nil
}

// gathers keeps what it is given, each time.
type gathers struct{ all []string }

func (g *gathers) UnmarshalJSON(data []byte) error {
	g.all = append(g.all, string(data))
	return nil
}

type outer struct {
	Gathers gathers
	inner
	Text    string
	Bytes   []byte
	Number  json.Number
	Raw     json.RawMessage
	Any     any
	Float   float32
	Small   int8
	Big     *big.Int
	When    time.Time
	Pause   time.Duration
	List    []inner
	Pair    [2]int
	Map     map[string]*inner
	Keyed   map[shy]int
	Loud    loud
	Shy     *shy
	Quoted  int `json:",string"`
	Renamed int `json:"re-named"`
	Left    int `json:"-"`
}

// documents are such as are stored, and such as somebody has changed.
var documents = []string{
	`{}`, `null`, ``, `{`, `{} {}`, `[]`, `"x"`, `{"Text":"a\u00e9\ud83d\ude00\ud800<&>"}`, "{\"Text\":\"\xff\xfe\"}",
	`{"text":"lower"}`, `{"TEXT":"upper","Text":"exact"}`, `{"Text":"first","Text":"second"}`, `{"Text":null}`, `{"Text":1}`,
	`{"same":"embedded","other":7}`, `{"Bytes":"AAEC"}`, `{"Bytes":"not base64!"}`, `{"Bytes":[1,2]}`, `{"Bytes":null}`,
	`{"Number":12}`, `{"Number":1.50}`, `{"Number":"12"}`, `{"Number":null}`, `{"Number":true}`, `{"Text":"kept","Number":9007199254740993,"Any":{"x":[1,2]}}`,
	`{"Gathers":[1],"Number":12}`, `{"Map":{"a":{"same":"x"}},"Gathers":1,"Number":12}`, `{"Gathers":1,"Gathers":2}`,
	`{"Raw":{"a": [1, 2]}}`, `{"Any":9007199254740993}`, `{"Any":{"b":null,"a":[true,"x",1e3]}}`,
	`{"Float":1e300}`, `{"Float":1.25}`, `{"Small":128}`, `{"Small":-128}`, `{"Small":1.5}`, `{"Small":1e2}`,
	`{"Big":123456789012345678901234567890}`, `{"When":"2026-11-22T10:00:00.123456789+02:00"}`, `{"When":"yesterday"}`, `{"Pause":1000000000}`, `{"Pause":"1s"}`,
	`{"List":[{"same":"a"},{"other":1},null]}`, `{"List":[{"same":"a"}],"List":[{"other":1}]}`, `{"Pair":[1]}`, `{"Pair":[1,2,3]}`,
	`{"Map":{"a":{"same":"x"},"b":null,"a":{"other":2}}}`, `{"Keyed":{"a":1,"b":2}}`, `{"Keyed":{"":1}}`, `{"Loud": [1 , 2] }`, `{"Loud":null}`,
	`{"Shy":"quiet"}`, `{"Shy":""}`, `{"Shy":5}`, `{"Quoted":"5"}`, `{"Quoted":5}`, `{"Quoted":"x"}`, `{"Quoted":"null"}`, `{"Quoted":" 5"}`,
	`{"re-named":3,"Left":4,"hidden":5,"unknown":{"deep":[{}]}}`, "{\"Text\":\"a\nb\"}", `{"Text":"\x"}`, `{"Text":"a",}`, ` {"Text" : "spaces" } `,
	`{"Text":"a"}` + "\x00", `{"Any":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`, `{"Any":` + strings.Repeat("[", 20000),
	`{"Float":NaN}`, `{"Small":01}`, `{"Small":+1}`, `{"Small":-0}`, `{"Any":"` + strings.Repeat("long ", 1000) + `"}`,
}

// What is decoded, and what is refused in which words, is what encoding/json says.
func TestJSONIsReadAsEncodingJSONReadsIt(t *testing.T) {
	for _, into := range []any{outer{}, map[string]any{}, any(nil), []any{}, "", 0, json.Number(""), [3]inner{}, math.Pi, &outer{}, time.Time{}, json.RawMessage{}} {
		for _, doc := range documents {
			compareDecoding(t, into, []byte(doc))
		}
	}
	var nothing *outer
	for _, v := range []any{nil, nothing, outer{}} {
		if got, want := JSON.Unmarshal([]byte(`{}`), v), json.Unmarshal([]byte(`{}`), v); got == nil || got.Error() != want.Error() {
			t.Errorf("into %T: %v, want %v", v, got, want)
		}
	}
}

func compareDecoding(t *testing.T, into any, doc []byte) {
	t.Helper()
	place := func() reflect.Value {
		if into == nil {
			return reflect.ValueOf(new(any))
		}
		return reflect.New(reflect.TypeOf(into))
	}
	got, want, before := place(), place(), bytes.Clone(doc)
	gotErr, wantErr := JSON.Unmarshal(doc, got.Interface()), json.Unmarshal(before, want.Interface())
	switch {
	case (gotErr == nil) != (wantErr == nil):
		t.Errorf("%T from %.80q: %v, want %v", into, doc, gotErr, wantErr)
	case wantErr != nil:
		if reflect.TypeOf(gotErr) != reflect.TypeOf(wantErr) || gotErr.Error() != wantErr.Error() {
			t.Errorf("%T from %.80q: %T %v, want %T %v", into, doc, gotErr, gotErr, wantErr, wantErr)
		}
	case !reflect.DeepEqual(got.Interface(), want.Interface()):
		t.Errorf("%T from %.80q: %+v, want %+v", into, doc, got.Elem(), want.Elem())
	}
	if !bytes.Equal(doc, before) {
		t.Errorf("%.80q was changed", before)
	}
}

// FuzzJSONIsReadAsEncodingJSONReadsIt looks for a document that is read otherwise.
func FuzzJSONIsReadAsEncodingJSONReadsIt(f *testing.F) {
	for _, doc := range documents {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		compareDecoding(t, outer{}, doc)
		compareDecoding(t, any(nil), doc)
	})
}

// A decoded input does not refer to the payload, which others read too.
func TestWhatIsDecodedIsACopy(t *testing.T) {
	doc := []byte(`{"Text":"some text that is not short","Raw":[1,2,3],"Any":{"key":"value"},"Number":12}`)
	var v outer
	if err := JSON.Unmarshal(doc, &v); err != nil {
		t.Fatal(err)
	}
	clear(doc)
	if v.Text != "some text that is not short" || string(v.Raw) != "[1,2,3]" || v.Any.(map[string]any)["key"] != "value" || v.Number != "12" {
		t.Errorf("got %+v after the payload was overwritten", v)
	}
}
