// Package label gives an enum its stable texts from one table, so that String,
// MarshalText and UnmarshalText cannot drift apart.
package label

import (
	"fmt"
	"strings"
)

// Table holds the label of each value of the enum T at the index of that value.
// An empty label marks a value that is not valid.
type Table[T ~uint8] struct {
	// Type is the name of the enum, used for values that have no label.
	Type string
	// Labels holds the texts, which are stable API.
	Labels []string
	// Unsaid says that zero is a value, which means that nothing is said. Its text is
	// empty, and it is not among the Values.
	Unsaid bool
}

// String returns the label of v, or "type(n)" for a value that has none.
func (t Table[T]) String(v T) string {
	if text, ok := t.text(v); ok {
		return text
	}
	return fmt.Sprintf("%s(%d)", t.Type, uint8(v))
}

// Marshal returns the label of v; a value without one is an error.
func (t Table[T]) Marshal(v T) ([]byte, error) {
	if text, ok := t.text(v); ok {
		return []byte(text), nil
	}
	return nil, fmt.Errorf("%s(%d) has no label", t.Type, uint8(v))
}

// Unmarshal sets v to the value whose label is text; an unknown text is an error
// and leaves v as it was.
func (t Table[T]) Unmarshal(v *T, text []byte) error {
	if t.Unsaid && len(text) == 0 {
		*v = 0
		return nil
	}
	for i, have := range t.Labels {
		if have != "" && have == string(text) {
			*v = T(i)
			return nil
		}
	}
	return fmt.Errorf("%q is not the label of %s %s", text, article(t.Type), t.Type)
}

func article(noun string) string {
	if noun != "" && strings.ContainsRune("aeiou", rune(noun[0])) {
		return "an"
	}
	return "a"
}

// Known reports whether v has a label.
func (t Table[T]) Known(v T) bool {
	text, _ := t.text(v)
	return text != ""
}

// Values returns every value that has a label, in order.
func (t Table[T]) Values() []T {
	var vs []T
	for i, text := range t.Labels {
		if text != "" {
			vs = append(vs, T(i))
		}
	}
	return vs
}

func (t Table[T]) text(v T) (string, bool) {
	if int(v) < len(t.Labels) && t.Labels[v] != "" {
		return t.Labels[v], true
	}
	return "", v == 0 && t.Unsaid
}
