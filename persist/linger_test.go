package persist

import (
	"testing"
	"time"
)

func TestWhoIsWaitedFor(t *testing.T) {
	const slow = 8 * time.Millisecond
	for _, row := range []struct {
		sentence      string
		was           linger
		callers, came int
		took          time.Duration
		want          linger
	}{
		{"nobody, after one who came alone", linger{}, 1, 0, slow, linger{expected: 1}},
		{"one more, if another came meanwhile", linger{}, 1, 1, slow, linger{expected: 2, bound: 2 * time.Millisecond}},
		{"all of them", linger{}, 30, 34, slow, linger{expected: 64, bound: 2 * time.Millisecond}},
		{"nobody, where commits are quick", linger{}, 30, 34, slowCommit - 1, linger{expected: 64}},
		{"nobody, when nobody was answered", linger{}, 0, 5, slow, linger{expected: 5}},
		{"nobody, for a while after they did not come", linger{vain: 3}, 30, 34, slow, linger{expected: 64, vain: 2}},
		{"all again after that", linger{vain: 1}, 30, 34, slow, linger{expected: 64, bound: 2 * time.Millisecond}},
	} {
		if got := row.was.after(row.callers, row.came, row.took); got != row.want {
			t.Errorf("%s: got %+v, want %+v", row.sentence, got, row.want)
		}
	}
}
