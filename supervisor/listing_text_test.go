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
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestTheTextOfATreeShowsWhatEveryTaskIsDoing(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		pool := supervisor.New(supervisor.Config{
			Strategy: supervisor.RestForOne, Concurrency: 2, Intensity: policy.Intensity{Restarts: 5, Within: time.Hour},
			Children: []actor.Spec{
				{Name: "conns", Task: readyIn(time.Hour, serve), AwaitReady: true, StartTimeout: policy.Forever},
				{Name: "worker", Task: actor.Func(serve)},
			},
		})
		h := open(t, supervisor.Config{Name: "app", Intensity: policy.Intensity{Restarts: 10, Within: time.Hour}, Children: []actor.Spec{
			{Name: "migrate", Task: in(time.Second, nil)},
			{Name: "cache", Backoff: policy.Constant(40 * time.Second), Task: in(0, errors.New("dial tcp \"cache\": refused\nmore of it"))},
			{Name: "tick", Restart: policy.Always, Every: 45 * time.Second, Task: in(0, nil)},
			{Name: "mail", MaxRetries: policy.NoRetry, Task: in(time.Second, errBoom)},
			{Name: "slow", Timeout: 50 * time.Second, Grace: 5 * time.Second, Task: slow(30 * time.Second)},
			{Name: "gone", Task: actor.Func(serve)},
			pool.Spec("pool"),
		}})
		_ = h.Stop(context.Background(), "gone")
		pass(time.Minute)
		got := h.Tree().String()
		equal(t, "the text", got, lines(`
		/app          starting     1m0s  waiting for /app/pool, 2 restarts in the window
		├─ migrate    completed    59s
		├─ cache      backing_off  20s   attempt 2, 2 restarts, next in 20s, error "dial tcp \"cache\": refused"
		├─ tick       backing_off  15s   attempt 2, next in 30s
		├─ mail       failed       59s   error "boom"
		├─ slow       stuck        5s    reason timeout
		├─ gone       stopped      1m0s  reason stopped
		└─ pool       starting     1m0s  rest_for_one, waiting for /app/pool/conns, 1 permit used
		   ├─ conns   starting     1m0s
		   └─ worker  starting     1m0s`))
		equal(t, "the text in a format", fmt.Sprintf("%+v", h.Tree()), got)
	})
}

func TestTheTextOfATreeThatStopsSaysForWhomItWaits(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		h := open(t, supervisor.Config{Name: "app", Strategy: supervisor.OneForAll, StopTimeout: time.Minute, Children: []actor.Spec{
			{Name: "db", Task: actor.Func(serve)},
			{Name: "deaf", Grace: 10 * time.Second, OnStuck: policy.StuckWait, Task: bDeaf(gate)},
			{Name: "web", Grace: time.Second, Task: slow(500 * time.Millisecond)},
		}})
		pass(time.Second)
		h.cancel()
		pass(250 * time.Millisecond)
		equal(t, "at first", h.Tree().String(), lines(`
		/app     stopping  250ms  one_for_all, waiting for /app/web
		├─ db    running   1.3s
		├─ deaf  running   1.3s
		└─ web   stopping  250ms  reason shutdown`))
		pass(30 * time.Second)
		equal(t, "later", h.Tree().String(), lines(`
		/app     stopping  30.3s  one_for_all, waiting for /app/deaf
		├─ db    running   31.3s
		├─ deaf  stuck     19.8s  reason shutdown
		└─ web   stopped   29.8s  reason shutdown`))
		_ = h.close()
		equal(t, "at the end", h.Tree().String(), "/app  stopped    one_for_all")
	})
}

func TestTheTextOfAGroupRestartSaysWhenItGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, supervisor.Config{Name: "app", Strategy: supervisor.OneForAll, Children: []actor.Spec{
			{Name: "a", Task: actor.Func(serve)},
			{Name: "b", Backoff: policy.Constant(30 * time.Second), Task: in(time.Minute, errBoom)},
		}})
		pass(80 * time.Second)
		equal(t, "the text", h.Tree().String(), lines(`
		/app  restarting  20s  one_for_all, next in 10s
		├─ a  restarting  20s  reason group
		└─ b  restarting  20s  reason group, 1 restart, error "boom"`))
	})
}

func TestTheTextOfAPartShowsTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, supervisor.Config{Name: "app", Children: []actor.Spec{
			{Name: "a", Backoff: policy.Constant(time.Hour), Task: in(0, errBoom)},
		}})
		n := h.child("a")
		n.Since, n.NextRetry = n.Since.UTC(), n.NextRetry.UTC()
		equal(t, "the text", n.String(), `/app/a  backing_off  since 2000-01-01T00:00:00Z  1 restart, next at 2000-01-01T01:00:00Z, error "boom"`)
	})
}

func TestTheTextOfManySumsUpThoseThatAreFine(t *testing.T) {
	now := time.Now()
	root := supervisor.Node{Path: "/app", State: supervisor.StateRunning, Ready: true, IsSupervisor: true, Since: now.Add(-time.Hour), At: now}
	for i := range 100_000 {
		n := supervisor.Node{Name: fmt.Sprint(i), State: supervisor.StateRunning, Ready: true, Since: now.Add(-time.Minute)}
		switch {
		case i%20_000 == 7:
			n.State, n.Ready = supervisor.StateStuck, false
		case i >= 50_000 && i < 50_200:
			n.State, n.Ready, n.Failures, n.NextRetry = supervisor.StateBackingOff, false, 1, now.Add(time.Second)
		case i == 99_000:
			n.Name, n.Declared = "declared", true
		}
		root.Children = append(root.Children, n)
	}
	text := strings.Split(root.String(), "\n")
	if len(text) != 1+100+1 || !strings.Contains(text[1], "7") || !strings.Contains(text[5], "stuck") || !strings.Contains(text[6], "50000") {
		t.Errorf("%d lines:\n%s", len(text), strings.Join(text[:10], "\n"))
	}
	equal(t, "the last line", text[101], "└─ … and 99,900 more: 99,795 running, 105 backing_off")

	for i := range root.Children {
		if root.Children[i].State == supervisor.StateBackingOff {
			root.Children[i].Failures = 0 // pauses after a success
		}
	}
	text = strings.Split(root.String(), "\n")
	equal(t, "lines", len(text), 1+5+1+10+1)
	equal(t, "the declared one comes next", text[6], "├─ declared  running  1m0s")
	equal(t, "the last line", text[17], "└─ … and 99,984 more: 99,784 running, 200 backing_off")
}

func TestTheTextOfAnyTreeIsBounded(t *testing.T) {
	name, text := strings.Repeat("n", 200), strings.Repeat("é", 10_000)
	var wide func(depth int) supervisor.Node
	wide = func(depth int) supervisor.Node {
		n := supervisor.Node{Name: name, State: supervisor.StateFailed, Error: text}
		for range 50 * min(depth, 1) {
			n.Children = append(n.Children, wide(depth-1))
		}
		return n
	}
	text = wide(3).String()
	if n := strings.Count(text, "\n"); n < 1900 || n > 2010 {
		t.Errorf("%d lines", n)
	}
	if !strings.HasSuffix(text, " more: 49 failed") {
		t.Errorf("it ends with %q", text[len(text)-200:])
	}
}
