package main

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// One visit for all: it uses real connections, so there is no bubble around it.
func TestTheVisit(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var p page
	err := run(ctx, &p)
	out := line.ReplaceAllString(p.String(), "$1 $2$3")

	t.Run("the program ends without an error when the visitor has left", func(t *testing.T) {
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		if !strings.HasSuffix(out, "\ndown /app\n") {
			t.Errorf("the tree is not the last to go:\n%s", out)
		}
	})
	t.Run("a real request is answered by a worker", func(t *testing.T) {
		if !strings.Contains(out, "GET / -> 200 OK: hello from /app/workers/") {
			t.Errorf("no answer:\n%s", out)
		}
	})
	t.Run("the failure of the index restarts the cache and not the disk", func(t *testing.T) {
		if got := about(out, "/app/store/", "failed", "stopping", "started"); got != storeStory {
			t.Errorf("the store did\n%s\nwant\n%s", got, storeStory)
		}
	})
	t.Run("the tree is drawn before and after", func(t *testing.T) {
		for _, want := range []string{before, afterwards} {
			if strings.Count(out, want) != 1 {
				t.Errorf("this is not drawn once:%s\nin\n%s", want, out)
			}
		}
	})
}

const storeStory = `started /app/store/disk attempt=1
started /app/store/index attempt=1
started /app/store/cache attempt=1
failed /app/store/index attempt=1
stopping /app/store/cache attempt=1
started /app/store/index attempt=2
started /app/store/cache attempt=2
stopping /app/store/cache attempt=2
stopping /app/store/index attempt=2
stopping /app/store/disk attempt=1
`

const before = `
    app              running, one_for_one
        http         running
        workers      running, one_for_one
            one      running
            two      running
        store        running, rest_for_one
            disk     running
            index    running
            cache    running
        visitor      running
`

const afterwards = `
            disk     running
            index    running, attempt 2
            cache    running, attempt 2
        visitor      running
`

// page is what the example writes, by several goroutines.
type page struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (p *page) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.buf.Write(b)
}

func (p *page) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.buf.String()
}

// line is one of the console's: a word, a path, and perhaps an attempt.
var line = regexp.MustCompile(`(?m)^[\d:.]{12} +(.+?) +(/\S+)(?: ( attempt=\d+))?.*$`)

// about returns the lines that tell one of the words about something below path.
func about(out, path string, words ...string) string {
	var some strings.Builder
	for l := range strings.Lines(out) {
		for _, word := range words {
			if strings.HasPrefix(l, word+" "+path) {
				some.WriteString(l)
			}
		}
	}
	return some.String()
}
