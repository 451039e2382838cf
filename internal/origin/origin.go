// Package origin finds where a goroutine's stack was thrown, in the text of runtime.Stack.
package origin

import "strings"

// Of returns the part of a stack that says where something was thrown: what stands
// below the frame of panic, or of runtime.Goexit. The part above it is the goroutine's
// headline and whoever caught it. Of panics on top of each other it is the latest, which
// is the one that was caught, and those before it follow. A stack that has no such frame,
// or is cut off at it, is returned as it is.
func Of(stack string) string {
	for rest := stack; rest != ""; {
		var line string
		line, rest, _ = strings.Cut(rest, "\n")
		if !strings.HasPrefix(line, "panic(") && !strings.HasPrefix(line, "runtime.Goexit(") {
			continue
		}
		// A frame has a second line, which is its place.
		if _, below, _ := strings.Cut(rest, "\n"); strings.TrimSpace(below) != "" {
			return below
		}
	}
	return stack
}
