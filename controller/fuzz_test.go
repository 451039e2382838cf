package controller_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// history does to a controller and to its model what the bytes say.
type history struct {
	*stand
	m       *model
	gates   []chan struct{}
	answers []chan error
	lines   []string // what was done, to be shown when they differ
}

func FuzzAHistoryOfASlotIsThatOfItsModel(f *testing.F) {
	f.Add([]byte{0, 0, 10, 10, 1, 20, 30, 7})
	f.Add([]byte{0x40, 0x41, 0x42, 0x43, 0x85, 0x05, 0x04, 0xc3, 0x45, 0x46, 0x47, 0x08})
	f.Add([]byte("replace, cancel and expire whatever there is, and then some more of it"))
	f.Fuzz(func(t *testing.T, script []byte) { follow(t, script) })
}

func TestARandomHistoryOfASlotIsThatOfItsModel(t *testing.T) {
	n := uint64(300)
	if testing.Short() {
		n = 30
	}
	for seed := range n {
		rnd := rand.New(rand.NewPCG(seed, 7))
		script := make([]byte, 1+rnd.IntN(200))
		for i := range script {
			script[i] = byte(rnd.Uint32())
		}
		follow(t, script)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// follow reads an act from each byte: what in its lower half, to whom or how in its
// upper half.
func follow(t *testing.T, script []byte) {
	script = script[:min(len(script), 400)]
	const width, depth = 1, 3
	bubble(t, controller.Config{Width: width, Depth: depth}, func(t *testing.T, s *stand) {
		h := &history{stand: s, m: &model{now: time.Now(), width: width, depth: depth}}
		for _, b := range script {
			h.act(int(b&15), int(b>>4))
			h.compare()
			if t.Failed() {
				t.Fatalf("after\n%s", strings.Join(h.lines, "\n"))
			}
		}
		h.m.close()
		s.close()
		h.compareFates()
		for _, answer := range h.answers {
			if err := <-answer; err != nil {
				t.Error(err)
			}
		}
	})
}

func (h *history) note(format string, args ...any) {
	h.lines = append(h.lines, fmt.Sprintf(format, args...))
}

func (h *history) act(what, how int) {
	switch what {
	case 0, 1, 2:
		h.submit(controller.Queue, how)
	case 3, 4, 5:
		h.submit(controller.Replace, how)
	case 6:
		h.submit(controller.DropIfRunning, how)
	case 7, 8, 9:
		h.note("pass %d00ms", how)
		d := time.Duration(how) * 100 * time.Millisecond
		pass(d)
		h.m.pass(d)
	case 10, 11, 12:
		h.cancel(how)
	case 13:
		h.completes(how)
	case 14:
		h.widen(how)
	default:
		h.purgeOrStop(how)
	}
}

func (h *history) submit(a controller.Admission, how int) {
	n := len(h.gates)
	gate := make(chan struct{})
	h.gates = append(h.gates, gate)
	lag, ttl := time.Duration(how%4)*500*time.Millisecond, policy.Forever
	if how >= 8 {
		ttl = time.Duration(how-7) * 250 * time.Millisecond
	}
	name := fmt.Sprint("n", n)
	h.note("%v %s, which takes %v to end and lives for %v", a, name, lag, ttl)
	sub := submission(a, "k", name, func(ctx context.Context) error {
		select {
		case <-gate:
		case <-ctx.Done():
			time.Sleep(lag)
		}
		return nil
	})
	sub.TTL = ttl
	h.put(sub)
	h.m.submit(a, name, lag, min(ttl, 1000*time.Hour))
}

func (h *history) cancel(how int) {
	if len(h.all) == 0 {
		return
	}
	i := max(len(h.all)-1-how, 0)
	h.note("cancel n%d", i)
	if !h.m.cancel(h.m.all[i]) {
		if err := h.Cancel(context.Background(), h.all[i].ID()); !errors.Is(err, supervisor.ErrNotFound) {
			h.t.Errorf("cancel of one that has ended: %v", err)
		}
		return
	}
	h.later(func() error { return h.Cancel(context.Background(), h.all[i].ID()) })
}

// later does what may take a while, and should be answered without an error.
func (h *history) later(act func() error) {
	answer := make(chan error, 1)
	h.answers = append(h.answers, answer)
	go func() { answer <- act() }()
	synctest.Wait()
}

func (h *history) completes(how int) {
	if len(h.m.owners) == 0 {
		return
	}
	t := h.m.owners[how%len(h.m.owners)]
	h.note("%s completes", t.name)
	var i int
	_, _ = fmt.Sscanf(t.name, "n%d", &i)
	if t.told == "" {
		close(h.gates[i])
	}
	h.m.complete(t)
}

func (h *history) widen(how int) {
	h.note("width %d", how%4)
	h.setWidth("k", how%4)
	h.m.width = max(how%4, 1)
	h.m.settle()
}

func (h *history) purgeOrStop(how int) {
	if how%2 == 0 {
		h.note("purge")
		equal(h.t, "purged", h.Purge("k"), h.m.purge())
		return
	}
	h.note("stop")
	h.m.stop()
	h.later(func() error { return h.Stop(context.Background(), "k") })
}

func (h *history) compare() {
	h.t.Helper()
	h.wantSlot("k", h.m.show())
	h.compareFates()
}

func (h *history) compareFates() {
	h.t.Helper()
	synctest.Wait()
	var b strings.Builder
	for _, hd := range h.all {
		fmt.Fprintf(&b, "%s %s\n", hd.Name(), fate(hd))
	}
	equal(h.t, "fates", b.String(), h.m.fates())
}
