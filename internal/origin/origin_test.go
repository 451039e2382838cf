package origin_test

import (
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/taskvisor/taskvisor/internal/origin"
)

const (
	caught = "goroutine 9 [running]:\nruntime/debug.Stack()\n\t/go/stack.go:26\nmain.catch()\n\t/src/main.go:9\n"
	thrown = "panic({0x1, 0x2})\n\t/go/panic.go:7\n"
	left   = "runtime.Goexit()\n\t/go/panic.go:8\n"
	work   = "main.work()\n\t/src/main.go:3\nmain.main()\n\t/src/main.go:1\n"
	mend   = "main.mend()\n\t/src/main.go:5\n"
)

func TestTheOriginIsWhatStandsBelowThePanic(t *testing.T) {
	for _, row := range []struct{ sentence, stack, want string }{
		{"a panic", caught + thrown + work, work},
		{"a Goexit", caught + left + work, work},
		{"a panic on top of another begins with the latest", caught + thrown + mend + thrown + work, mend + thrown + work},
		{"a Goexit on top of a panic", caught + left + mend + thrown + work, mend + thrown + work},
		{"nothing was thrown", caught + work, caught + work},
		{"a frame with a name like it", caught + "main.panic()\n\t/src/main.go:4\n" + work, caught + "main.panic()\n\t/src/main.go:4\n" + work},
		{"it is cut off at the panic", caught + thrown, caught + thrown},
		{"it is cut off in the panic", caught + "panic({0x1", caught + "panic({0x1"},
		{"without the last newline", strings.TrimSpace(caught + thrown + work), strings.TrimSpace(work)},
		{"nothing", "", ""},
	} {
		if got := origin.Of(row.stack); got != row.want {
			t.Errorf("%s: the origin is\n%s\nwant\n%s", row.sentence, got, row.want)
		}
	}
}

// thrownBy returns the origin of what f throws.
func thrownBy(f func()) (text string) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			_ = recover()
			text = origin.Of(string(debug.Stack()))
		}()
		f()
	}()
	<-done
	return text
}

func index(s []int, i int) int { return s[i] }

func TestTheStacksOfTheRuntimeAreRead(t *testing.T) {
	for _, row := range []struct {
		sentence string
		throw    func()
		first    string
	}{
		{"a panic", func() { panic("oh") }, "TestTheStacksOfTheRuntimeAreRead"},
		{"a Goexit", runtime.Goexit, "origin_test.thrownBy"},
		{"a panic of the runtime", func() { index(nil, 7) }, "origin_test.index("},
	} {
		got := thrownBy(row.throw)
		if first, _, _ := strings.Cut(got, "\n"); !strings.Contains(first, row.first) {
			t.Errorf("%s: the origin begins with %q, want %s:\n%s", row.sentence, first, row.first, got)
		}
	}
}
