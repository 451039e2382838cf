package report

import (
	"hash/maphash"
	"slices"

	"github.com/taskvisor/taskvisor/events"
)

// stacks remembers the latest stacks, by their hashes. One error may come up the whole
// tree, past those of other tasks.
type stacks struct {
	recent [16]uint64
	next   int
}

// add reports whether the stack is one, and not among the latest.
func (s *stacks) add(stack string) bool {
	if stack == "" {
		return false
	}
	sum := maphash.String(seed, stack)
	if slices.Contains(s.recent[:], sum) {
		return false
	}
	s.recent[s.next] = sum
	s.next = (s.next + 1) % len(s.recent)
	return true
}

// traces returns the stacks that err knows. The error may be anybody's, and panic.
func traces(err error) (stack string) {
	defer func() {
		if recover() != nil {
			stack = ""
		}
	}()
	return events.Traces(err)
}
