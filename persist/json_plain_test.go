package persist

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

type level int

func (l *level) UnmarshalJSON([]byte) error { *l = 7; return nil }

type core struct{ ID int }

type tree struct {
	Name string           `json:"name"`
	Kids []*tree          `json:"kids,omitempty"`
	More map[string]*tree `json:"more,omitzero"`
	Any  any
	Left chan int `json:"-"`
	note string
}

type kind8 uint8

type loop *loop

// What the two may read differently is not plain, so that encoding/json alone reads it.
func TestPlainTypes(t *testing.T) {
	_ = tree{note: ""}
	for _, c := range []struct {
		zero any
		want bool
	}{
		{"", true},
		{0, true},
		{1.5, true},
		{kind8(1), true},
		{tree{}, true},
		{[]tree{}, true},
		{map[string][]*tree{}, true},
		{[3]int{}, true},
		{struct {
			UserID int `json:"user_id,omitempty"`
		}{}, true},
		{struct{ In *struct{ A any } }{}, true},

		{json.Number(""), false},
		{json.RawMessage{}, false},
		{time.Time{}, false},
		{time.Second, false},
		{net.IP{}, false},
		{[]byte{}, false},
		{[]kind8{}, false},
		{[4]byte{}, false},
		{level(1), false},
		{[]level{}, false},
		{map[string]*level{}, false},
		{map[level]int{}, false},
		{map[int]int{}, false},
		{map[json.Number]int{}, false},
		{loop(nil), false},
		{new(*int), false},
		{struct{}{}, false},
		{struct{ core }{}, false},
		{struct{ *core }{}, false},
		{struct{ time.Time }{}, false},
		{struct{ Err error }{}, false},
		{struct{ F func() }{}, false},
		{struct{ C complex64 }{}, false},
		{tagged(`json:",string"`), false},
		{tagged(`json:"a, omitempty"`), false},
		{tagged(`json:"-,"`), false},
		{tagged(`json:",embed"`), false},
		{tagged(`json:",case:strict"`), false},
		{tagged(`json:"price_€"`), false},
		{tagged(`json:"b"`), true},
		{tagged(`json:"other"`), false}, // as the field after it
		{struct{ Größe int }{}, false},
	} {
		if got := plain(reflect.TypeOf(c.zero)); got != c.want {
			t.Errorf("%T: %t, want %t", c.zero, got, c.want)
		}
	}
}

// tagged returns a struct that has a field with this tag.
func tagged(tag reflect.StructTag) any {
	return reflect.Zero(reflect.StructOf([]reflect.StructField{
		{Name: "A", Type: reflect.TypeFor[int](), Tag: tag}, {Name: "Other", Type: reflect.TypeFor[int]()},
	})).Interface()
}

// generator makes plain types, and documents that are more or less for them.
type generator struct{ *rand.Rand }

func (g generator) typ(depth int) reflect.Type {
	leaves := []any{"", false, 0, int8(0), int16(0), int64(0), uint(0), uint8(0), uint32(0), uint64(0), float32(0), 0.0, kind8(0), tree{}}
	if depth == 0 || g.IntN(3) == 0 {
		if at := g.IntN(len(leaves) + 1); at < len(leaves) {
			return reflect.TypeOf(leaves[at])
		}
		return reflect.TypeFor[any]()
	}
	switch g.IntN(6) {
	case 0:
		return reflect.SliceOf(g.typ(depth - 1))
	case 1:
		return reflect.ArrayOf(g.IntN(4), g.typ(depth-1))
	case 2:
		return reflect.MapOf(reflect.TypeFor[string](), g.typ(depth-1))
	case 3:
		return reflect.PointerTo(g.typ(depth - 1))
	}
	var fields []reflect.StructField
	for i := range 1 + g.IntN(4) {
		f := reflect.StructField{Name: "F" + strconv.Itoa(i), Type: g.typ(depth - 1)}
		if g.IntN(2) == 0 {
			f.Tag = reflect.StructTag(fmt.Sprintf(`json:"%s%d%s"`, g.one("", "name_", "Key", "kE_y"), i, g.one("", ",omitempty", ",omitzero")))
		}
		fields = append(fields, f)
	}
	return reflect.StructOf(fields)
}

func (g generator) one(of ...string) string { return of[g.IntN(len(of))] }

func (g generator) doc(t reflect.Type, depth int) string {
	if depth == 0 || g.IntN(12) == 0 {
		return g.one(`null`, `true`, `0`, `-1`, `1.5`, `1e3`, `255`, `256`, `-129`, `1e400`, `18446744073709551616`, `""`, `"x"`, `"\u00e9\ud800"`, "\"\xff\"", `[]`, `{}`, `[1,null,"a"]`,
			`{"a":1,"A":2}`, `nul`, `"\x"`, `01`, `[1,]`, `{"a"}`)
	}
	switch t.Kind() {
	case reflect.String:
		return g.one(`""`, `"text"`, `"a\"b\\\n"`, `"\u20ac\ud83d\ude00"`, `"<&>"`)
	case reflect.Bool:
		return g.one(`true`, `false`)
	case reflect.Pointer:
		return g.doc(t.Elem(), depth-1)
	case reflect.Interface:
		return g.doc(g.typ(2), depth-1)
	case reflect.Slice, reflect.Array:
		var list []string
		for range g.IntN(5) {
			list = append(list, g.doc(t.Elem(), depth-1))
		}
		return "[" + strings.Join(list, g.one(",", " , ")) + "]"
	case reflect.Map:
		var list []string
		for range g.IntN(4) {
			list = append(list, g.one(`"a"`, `"b"`, `"\u0061"`, `""`)+":"+g.doc(t.Elem(), depth-1))
		}
		return "{" + strings.Join(list, ",") + "}"
	case reflect.Struct:
		var list []string
		for range g.IntN(2 * (t.NumField() + 1)) {
			f := t.Field(g.IntN(t.NumField()))
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			name = g.one(name, f.Name, strings.ToUpper(name), strings.ToLower(f.Name), strings.ReplaceAll(name, "_", ""), "unknown")
			list = append(list, strconv.Quote(name)+":"+g.doc(f.Type, depth-1))
		}
		return "{" + strings.Join(list, ",") + "}"
	}
	return g.one(`0`, `1`, `-1`, `127`, `128`, `65536`, `-0`, `1.25`, `1e2`, `4294967296`, `9007199254740993`, `0.1`, `3.4e38`, `1e-400`)
}

func TestPlainTypesAreReadAsEncodingJSONReadsThem(t *testing.T) {
	accepted, all := 0, 0
	for seed := range uint64(1500) {
		g := generator{rand.New(rand.NewPCG(seed, 1))}
		typ := g.typ(4)
		if !plain(typ) {
			continue
		}
		zero := reflect.Zero(typ).Interface()
		for range 20 {
			doc := []byte(g.doc(typ, 6))
			if n := len(doc); g.IntN(10) == 0 {
				doc[g.IntN(n)] = byte(g.IntN(256))
			}
			compareDecoding(t, zero, doc)
			if all++; json.Unmarshal(doc, reflect.New(typ).Interface()) == nil {
				accepted++
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d: %v", seed, typ)
		}
	}
	if accepted < all/4 || accepted > all*3/4 {
		t.Errorf("%d of %d documents were accepted: too few, or too many, to compare", accepted, all)
	}
}
