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

// visit runs the example once and returns what it has written, without the details.
var visit = sync.OnceValues(func() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var out page
	err := run(ctx, &out)
	return line.ReplaceAllString(out.String(), "$1 $2$3"), err
})

var line = regexp.MustCompile(`(?m)^[\d:.]{12} +(.+?) +(/\S+)(?: ( attempt=\d+))?.*$`)

func TestTheProgramEndsWithoutAnErrorWhenTheVisitorHasLeft(t *testing.T) {
	out, err := visit()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if !strings.HasSuffix(out, "\ndown /app\n") {
		t.Errorf("the tree is not the last to go:\n%s", out)
	}
}

func TestARealRequestIsAnsweredByAWorker(t *testing.T) {
	out, _ := visit()
	if !strings.Contains(out, "GET / -> 200 OK: hello from /app/workers/") {
		t.Errorf("no answer:\n%s", out)
	}
}

func TestTheFailureOfTheIndexRestartsTheCacheAndNotTheDisk(t *testing.T) {
	out, _ := visit()
	got := about(out, "/app/store/", "failed", "stopping", "started")
	want := strings.Split(strings.TrimSpace(`
started /app/store/disk attempt=1
started /app/store/index attempt=1
started /app/store/cache attempt=1
failed /app/store/index attempt=1
stopping /app/store/cache attempt=1
started /app/store/index attempt=2
started /app/store/cache attempt=2
stopping /app/store/cache attempt=2
stopping /app/store/index attempt=2
stopping /app/store/disk attempt=1
`), "\n")
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the store did\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestTheTreeIsDrawnBeforeAndAfter(t *testing.T) {
	out, _ := visit()
	for _, want := range []string{`
    app              running, one_for_one, attempt 1
        http         running, attempt 1
        workers      running, one_for_one, attempt 1
            one      running, attempt 1
            two      running, attempt 1
        store        running, rest_for_one, attempt 1
            disk     running, attempt 1
            index    running, attempt 1
            cache    running, attempt 1
        visitor      running, attempt 1
`, `
            disk     running, attempt 1
            index    running, attempt 2
            cache    running, attempt 2
        visitor      running, attempt 1
`} {
		if strings.Count(out, want) != 1 {
			t.Errorf("this is not drawn once:%s\nin\n%s", want, out)
		}
	}
}

// about returns the lines that tell one of the words about something below path.
func about(out, path string, words ...string) []string {
	var lines []string
	for l := range strings.Lines(out) {
		for _, word := range words {
			if strings.HasPrefix(l, word+" "+path) {
				lines = append(lines, strings.TrimSpace(l))
			}
		}
	}
	return lines
}
