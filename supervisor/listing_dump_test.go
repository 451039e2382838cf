package supervisor_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestADumpShowsWhatWasAbandonedAndStillRuns(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		b := bRun(t, supervisor.Config{Children: []actor.Spec{
			{Name: "left", Grace: time.Second, Task: actor.Func(func(context.Context) error { bHangInLeaf(gate); return nil })},
			{Name: "slow", Grace: time.Minute, Task: bSlow(30 * time.Second)},
		}})
		b.cancel()
		rest(5 * time.Second)
		var out bytes.Buffer
		b.Dump(&out)
		if !strings.Contains(out.String(), "bHangInLeaf") || !strings.Contains(out.String(), "/app/left") {
			t.Errorf("the dump is\n%s", out.String())
		}
		b.stop()
	})
}
