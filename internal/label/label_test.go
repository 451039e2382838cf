package label_test

import (
	"slices"
	"testing"

	"github.com/taskvisor/taskvisor/internal/label"
)

type colour uint8

// The zero colour and the one between red and blue are not valid.
const (
	none colour = iota
	red
	gap
	blue
	beyond // past the end of the table
)

var colours = label.Table[colour]{
	Type:   "colour",
	Labels: []string{red: "red", blue: "blue"},
}

func TestEveryLabelGoesThereAndBack(t *testing.T) {
	values := colours.Values()
	if want := []colour{red, blue}; !slices.Equal(values, want) {
		t.Fatalf("Values() = %v, want %v in order and without the gaps", values, want)
	}
	for _, v := range values {
		text, err := colours.Marshal(v)
		if err != nil {
			t.Fatalf("Marshal(%d): %v", v, err)
		}
		if string(text) != colours.String(v) {
			t.Errorf("Marshal(%d) = %q, but String is %q", v, text, colours.String(v))
		}
		var back colour
		if err := colours.Unmarshal(&back, text); err != nil {
			t.Fatalf("Unmarshal(%q): %v", text, err)
		}
		if back != v {
			t.Errorf("Unmarshal(%q) = %d, want %d", text, back, v)
		}
	}
}

func TestAValueWithoutALabelIsPrintedButNotMarshalled(t *testing.T) {
	for v, want := range map[colour]string{
		none:   "colour(0)",
		gap:    "colour(2)",
		beyond: "colour(4)",
		255:    "colour(255)",
	} {
		if got := colours.String(v); got != want {
			t.Errorf("String(%d) = %q, want %q", v, got, want)
		}
		text, err := colours.Marshal(v)
		if err == nil {
			t.Errorf("Marshal(%d) = %q, want an error", v, text)
			continue
		}
		if text != nil {
			t.Errorf("Marshal(%d) = %q beside its error, want nothing", v, text)
		}
		if want += " has no label"; err.Error() != want {
			t.Errorf("Marshal(%d): error %q, want %q", v, err, want)
		}
	}
}

func TestAnUnknownTextIsAnErrorAndLeavesTheValue(t *testing.T) {
	// The empty text must not find a gap in the table.
	for _, text := range []string{"", "green", "Red", "red ", "colour(1)"} {
		v := blue
		err := colours.Unmarshal(&v, []byte(text))
		if err == nil {
			t.Errorf("Unmarshal(%q) = %d, want an error", text, v)
		}
		if v != blue {
			t.Errorf("Unmarshal(%q) changed the value to %d", text, v)
		}
	}
	v := blue
	err := colours.Unmarshal(&v, []byte("green"))
	if want := `"green" is not the label of a colour`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestTheZeroTableKnowsNoValue(t *testing.T) {
	var empty label.Table[colour]
	if values := empty.Values(); len(values) != 0 {
		t.Errorf("Values() = %v, want none", values)
	}
	if err := empty.Unmarshal(new(colour), nil); err == nil {
		t.Error("Unmarshal found a value")
	}
}
