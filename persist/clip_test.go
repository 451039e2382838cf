package persist

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestATextIsCutBetweenRunes(t *testing.T) {
	for _, text := range []string{"", "short", strings.Repeat("x", MaxErrorText), strings.Repeat("x", MaxErrorText+1)} {
		if got := clipText(text); len(got) != min(len(text), MaxErrorText) {
			t.Errorf("of %d bytes %d are kept", len(text), len(got))
		}
	}
	for shift := range 4 {
		got := clipText(strings.Repeat("x", shift) + strings.Repeat("\U0001F980", MaxErrorText))
		if !utf8.ValidString(got) || len(got) > MaxErrorText || len(got) < MaxErrorText-utf8.UTFMax {
			t.Errorf("%d bytes are kept, valid: %v", len(got), utf8.ValidString(got))
		}
	}
}
