package persist

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"sync"

	jsonv2 "github.com/go-json-experiment/json"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

// JSON is the default codec, which is encoding/json.
var JSON Codec = jsonCodec{}

type jsonCodec struct{}

func (jsonCodec) Name() string                  { return "json" }
func (jsonCodec) Marshal(v any) ([]byte, error) { return json.Marshal(v) }

// Unmarshal does for plain types what encoding/json does, in a fifth of the time. What is refused
// so is for encoding/json to refuse.
func (jsonCodec) Unmarshal(data []byte, v any) error {
	if p := reflect.ValueOf(v); p.Kind() == reflect.Pointer && !p.IsNil() && p.Elem().IsZero() && plain(p.Type().Elem()) {
		if jsonv2.Unmarshal(data, v, likeV1) == nil {
			return nil
		}
		p.Elem().SetZero() // it begins anew
	}
	return json.Unmarshal(data, v)
}

// likeV1 means the same as in encoding/json for plain types, but for errors, to find which it
// reads all twice.
var likeV1 = jsonv2.JoinOptions(jsonv1.DefaultOptionsV1(), jsonv1.ReportErrorsWithLegacySemantics(false))

// plain reports whether a type has nothing that the two may treat differently: methods, embedded
// types, bytes, times, names and options out of the ordinary.
func plain(t reflect.Type) bool {
	if known, ok := plainTypes.Load(t); ok {
		return known.(bool)
	}
	is := isPlain(t, map[reflect.Type]bool{})
	plainTypes.Store(t, is)
	return is
}

// plainTypes has what plain has said, by reflect.Type.
var plainTypes sync.Map

// isPlain takes for plain what is being looked at further up.
func isPlain(t reflect.Type, above map[reflect.Type]bool) bool {
	if above[t] {
		return true
	}
	above[t] = true
	if hasOwnWay(t) {
		return false
	}
	switch t.Kind() {
	case reflect.Bool, reflect.String, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	case reflect.Interface:
		return t.NumMethod() == 0
	case reflect.Pointer:
		return t.Name() == "" && t.Elem().Kind() != reflect.Pointer && isPlain(t.Elem(), above)
	case reflect.Slice, reflect.Array:
		return t.Elem().Kind() != reflect.Uint8 && isPlain(t.Elem(), above)
	case reflect.Map:
		return t.Key().Kind() == reflect.String && !hasOwnWay(t.Key()) && isPlain(t.Elem(), above)
	case reflect.Struct:
		return hasPlainFields(t, above)
	}
	return false
}

var ownWays = []reflect.Type{
	reflect.TypeFor[json.Unmarshaler](), reflect.TypeFor[encoding.TextUnmarshaler](), reflect.TypeFor[jsonv2.UnmarshalerFrom](),
}

// hasOwnWay reports whether a type has a way of its own to be read.
func hasOwnWay(t reflect.Type) bool {
	if t == reflect.TypeFor[json.Number]() || t.PkgPath() == "time" {
		return true
	}
	for _, way := range ownWays {
		if t.Implements(way) || reflect.PointerTo(t).Implements(way) {
			return true
		}
	}
	return false
}

// hasPlainFields looks at those of a struct. Each has a name of its own, however it is written.
func hasPlainFields(t reflect.Type, above map[reflect.Type]bool) bool {
	names := map[string]bool{}
	for i := range t.NumField() {
		f := t.Field(i)
		tag, tagged := f.Tag.Lookup("json")
		switch {
		case tag == "-" && f.IsExported() && !f.Anonymous:
			continue
		case !f.IsExported() && !tagged && !f.Anonymous:
			continue
		case !f.IsExported(), f.Anonymous:
			return false
		}
		name, options, _ := strings.Cut(tag, ",")
		if name == "" {
			name = f.Name
		}
		name = strings.ToLower(name)
		if !isPlainName(name) || names[name] || !isPlain(f.Type, above) {
			return false
		}
		names[name] = true
		if options != "" && options != "omitempty" && options != "omitzero" {
			return false
		}
	}
	return len(names) > 0
}

// isPlainName takes lower case letters, digits and underscores.
func isPlainName(name string) bool {
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}
