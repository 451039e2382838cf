//go:build unix

package supervisor_test

import (
	"bufio"
	"io"
	"strings"
	"syscall"
	"testing"
)

func TestALookShowsTheTreeAndChangesNothing(t *testing.T) {
	t.Parallel()
	stderr, theirs := io.Pipe()
	p := bProcessTo(t, "looks", theirs)
	shown := bufio.NewScanner(stderr)

	// look asks for the tree and returns it.
	look := func() string {
		p.signal(syscall.SIGUSR1)
		var tree []string
		for shown.Scan() {
			tree = append(tree, shown.Text())
			if strings.Contains(shown.Text(), " ready ") {
				break
			}
		}
		return strings.Join(tree, "\n")
	}
	for range 3 {
		tree := look()
		for _, part := range []string{"user defined signal 1:\n/ ", "\n├─ obeys ", "\n├─ fine ", "\n│  └─ leaf ", "\n└─ ready "} {
			if !strings.Contains(tree, part) {
				t.Errorf("%q is not in what it shows:\n%s", part, tree)
			}
		}
		p.await("looked")
	}
	p.signal(syscall.SIGTERM)
	more := make(chan string)
	go func() {
		all, _ := io.ReadAll(stderr)
		more <- string(all)
	}()
	p.await("main returned <nil>")
	if code := p.exit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	_ = theirs.Close()
	if text := <-more; text != "" {
		t.Errorf("and then on stderr %q", text)
	}
}
