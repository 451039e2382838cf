package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/supervisor"
)

// lines makes a text of lines that are indented for the reader of a test.
func lines(text string) string {
	return strings.ReplaceAll(strings.Trim(text, "\n\t"), "\n\t\t", "\n")
}

func TestTheTextOfAReportIsATimelineOfTheStop(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		pool := supervisor.New(supervisor.Config{Strategy: supervisor.RestForOne, Children: []actor.Spec{
			{Name: "conns", Task: slow(1500 * time.Millisecond)},
			{Name: "worker", Task: actor.Func(func(ctx context.Context) error {
				<-ctx.Done()
				rest(time.Second)
				return errors.New("flush: disk full\nat block 7")
			})},
		}})
		h := open(t, supervisor.Config{Name: "app", Strategy: supervisor.RestForOne, Children: []actor.Spec{
			{Name: "log", Task: actor.Func(serve)},
			pool.Spec("pool"),
			{Name: "before", Grace: time.Second, Task: actor.Func(func(context.Context) error { bHangInOther(gate); return nil })},
			{Name: "ends it", Task: in(time.Minute, actor.Escalate(errBoom))},
			{Name: "deaf", Grace: 4 * time.Second, Task: actor.Func(func(context.Context) error { bHangInLeaf(gate); return nil })},
			{Name: "slow", Task: slow(250 * time.Millisecond)},
		}})
		_ = h.Stop(context.Background(), "before")
		_ = h.wait()
		text := withoutPlaces(h.report().String())
		equal(t, "the text", text, lines(`
		stop of /app took 6.8s, because of "supervisor /app: escalated by /app/ends it: boom"
		├─ ends it    failed     0s     by itself, error "boom"
		├─ slow       stopped    250ms
		├─ deaf       abandoned  4s     told after 250ms, the slowest
		│     1 goroutine at
		│       bHangInLeaf
		├─ pool       stopped    2.5s   told after 4.3s
		│  ├─ worker  stopped    1s     returned "flush: disk full"
		│  └─ conns   stopped    1.5s   told after 1s, the slowest
		├─ log        stopped    0s     told after 6.8s
		└─ before     abandoned  1m7s   abandoned before the stop, and has still not returned
		      1 goroutine at
		        bHangInOther`))
	})
}

// withoutPlaces leaves of stacks only the names of the functions that tasks hang in.
func withoutPlaces(text string) string {
	var kept []string
	for line := range strings.SplitSeq(text, "\n") {
		before, frame, ok := strings.Cut(line, "github.com/taskvisor/taskvisor/")
		frame, hangs := strings.CutPrefix(frame, "supervisor_test.bHang")
		frame, _, _ = strings.Cut(frame, " ")
		switch {
		case hangs:
			kept = append(kept, before+"bHang"+frame)
		case !ok:
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

func TestTheTextOfAReportIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := time.Now()
		stuck := &actor.StuckError{Goroutines: []actor.Goroutine{{Count: 1, Stack: strings.Repeat("main.f /src/main.go:1\n", 1000)}}}
		report := func(path string, below *supervisor.StopReport) *supervisor.StopReport {
			r := &supervisor.StopReport{Path: path, Began: told, Omitted: 5}
			for i := range 2000 {
				r.Stops = append(r.Stops, supervisor.StoppedTask{
					Path: fmt.Sprintf("%s/%d", path, i), Told: told, Outcome: events.Abandoned, Stuck: stuck, Below: below,
					StopError: strings.Repeat("e", 10_000),
				})
			}
			return r
		}
		text := report("/a", report("/a/b", report("/a/b/c", nil))).String()
		if n := strings.Count(text, "\n"); n > 2100 {
			t.Errorf("%d lines", n)
		}
		for line := range strings.Lines(text) {
			if len(line) > 400 {
				t.Fatalf("a line of %d bytes: %s", len(line), line)
			}
		}
		if want := "│     … and 961 lines more"; !strings.Contains(text, want) {
			t.Errorf("there is no %q", want)
		}
		if want := "\n└─ … and 2,004 more, 1,999 of them slow, stuck or with an error"; !strings.HasSuffix(text, want) {
			t.Errorf("it ends with %q", text[len(text)-200:])
		}
	})
}

func TestAReportThatIsNotThereIsNoText(t *testing.T) {
	equal(t, "the text", fmt.Sprint(supervisor.New(supervisor.Config{}).StopReport()), "<nil>")
	equal(t, "an empty one", supervisor.StopReport{Path: "/app"}.String(), "stop of /app took 0s")
}
