//go:build unix

package torture

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/boltstore"
	"github.com/taskvisor/taskvisor/policy"
)

// campaign is one file, and the victims that use it one after the other.
type campaign struct {
	w      *witness
	rand   *rand.Rand
	path   string
	plan   life // what all victims are told
	total  totals
	opened time.Duration // from the start of a process until it is ready, about
}

// totals are what is reported in the end.
type totals struct {
	campaigns, lives, kills, early, stops, audits, reused, parked, dry int
	jobs, entries                                                      int
	kinds                                                              map[string]int
	ends                                                               [8]int
}

func (t *totals) add(o totals) {
	t.campaigns += o.campaigns
	t.lives += o.lives
	t.kills += o.kills
	t.early += o.early
	t.stops += o.stops
	t.audits += o.audits
	t.reused += o.reused
	t.parked += o.parked
	t.dry += o.dry
	t.jobs += o.jobs
	t.entries += o.entries
	if t.kinds == nil {
		t.kinds = map[string]int{}
	}
	for k, n := range o.kinds {
		t.kinds[k] += n
	}
	for k, n := range o.ends {
		t.ends[k] += n
	}
}

func (t *totals) String() string {
	ends := ""
	for _, k := range persist.Endings() {
		if n := t.ends[k]; n > 0 {
			ends += fmt.Sprintf(", %d %v", n, k)
		}
	}
	return fmt.Sprintf("%d campaigns, %d lives, %d of them killed (%d before they were ready), %d stopped in order, %d ran dry before; "+
		"%d submissions %v, %d entries of handlers; told ends%s; %d audits; %d parked; %d IDs of lost relaxed jobs given again",
		t.campaigns, t.lives, t.kills, t.early, t.stops, t.dry, t.jobs, t.kinds, t.entries, strings.Replace(ends, ",", "", 1), t.audits, t.parked, t.reused)
}

func newCampaign(folder string, seed uint64) *campaign {
	r := rand.New(rand.NewPCG(seed, 0))
	c := &campaign{w: newWitness(), rand: r, path: filepath.Join(folder, "jobs.db"), opened: 30 * time.Millisecond}
	c.plan = life{
		Path: c.path, Seed: seed, Workers: 2 + r.IntN(7), History: 10 + r.IntN(90), Dead: 3 + r.IntN(20), Crashes: policy.Unlimited,
		Inline: []int{0, 64}[r.IntN(2)], Relaxed: time.Duration(1+r.IntN(15)) * time.Millisecond,
	}
	if r.IntN(4) == 0 {
		c.plan.Crashes = 3
	}
	c.w.workers = c.plan.Workers
	c.total.campaigns = 1
	return c
}

// next is what the next victim is told.
func (c *campaign) next(m mode) life {
	l, r := c.plan, c.rand
	l.Number, l.Mode = c.w.life, m
	l.NoSync = r.IntN(3) > 0
	l.Check = r.IntN(10) == 0
	l.Compact = r.IntN(8) == 0
	l.Heavy = r.IntN(12) == 0
	l.Drain = time.Duration(r.IntN(2)*r.IntN(20)) * time.Millisecond
	return l
}

// process is a victim as its witness has it. Until it is buried, only the goroutine that
// listens to it uses the witness.
type process struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stderr *strings.Builder
	done   chan struct{} // closed when nothing more is to be heard
	state  error

	waiting map[string]chan struct{} // closed when the verb is told
	after   int                      // kill when so many lines were told
	ready   time.Duration
}

// begin starts a victim, and has the witness hear it.
func (c *campaign) begin(l life, after int) (*process, error) {
	text, err := json.Marshal(l)
	if err != nil {
		return nil, err
	}
	story, told, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p := &process{
		cmd: exec.Command(os.Args[0]), stderr: &strings.Builder{}, done: make(chan struct{}), waiting: map[string]chan struct{}{}, after: after,
	}
	p.cmd.Env = append(os.Environ(), victimEnv+"="+string(text), "GORACE=atexit_sleep_ms=0")
	p.cmd.ExtraFiles = []*os.File{told}
	p.cmd.Stdout, p.cmd.Stderr = p.stderr, p.stderr
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	for _, verb := range []string{"ready", "dry", "quiet", "late"} {
		p.waiting[verb] = make(chan struct{})
	}
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	_ = told.Close() // the victim has its own
	go func() {
		defer close(p.done)
		defer func() { _ = story.Close() }()
		lines := bufio.NewScanner(story)
		for lines.Scan() {
			line := lines.Text()
			c.w.hear(line)
			verb, _, _ := strings.Cut(line, " ")
			if verb == "ready" {
				p.ready = time.Since(began)
			}
			if heard := p.waiting[verb]; heard != nil {
				close(heard)
			}
			if p.after--; p.after == 0 {
				_ = p.cmd.Process.Kill()
			}
		}
		p.state = p.cmd.Wait()
	}()
	return p, nil
}

// await returns what happens first: a verb, the end of the process, or that the time is over.
func (p *process) await(verb string, d time.Duration) (told bool) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-p.waiting[verb]:
		return true
	case <-p.waiting["late"]:
	case <-p.done:
		select {
		case <-p.waiting[verb]:
			return true
		default:
		}
	case <-t.C:
	}
	return false
}

// bury waits for the end of a victim that was killed or told to stop.
func (c *campaign) bury(p *process) {
	t := time.NewTimer(stopWithin)
	defer t.Stop()
	select {
	case <-p.done:
	case <-t.C:
		_ = p.cmd.Process.Kill()
		<-p.done
		c.w.fault(nil, "the process does not end")
	}
	c.total.lives++
	if p.ready > 0 {
		c.opened = (3*c.opened + p.ready) / 4
	}
	if p.stderr.Len() > 0 {
		said := fmt.Sprintf("life %d: the process has said:\n%s", c.w.life, p.stderr)
		c.w.faults = append([]string{said}, c.w.faults...) // however many there are
	}
}

// stopWithin is how long a victim may take to stop in order.
const stopWithin = 60 * time.Second

// cycle is one life that ends at a moment that chance chooses.
func (c *campaign) cycle() error {
	r, after, dry := c.rand, -1, true
	how := r.IntN(20)
	if how < 4 {
		after = 1 + r.IntN(400) // lines: so that what is told often is told last
	}
	l := c.next(load)
	if how >= 4 && how < 8 && r.IntN(2) == 0 {
		l.Compact = true // there is more to be killed in
	}
	p, err := c.begin(l, after)
	if err != nil {
		return err
	}
	switch {
	case how < 4:
		p.await("late", time.Second) // or the kill
	case how < 8:
		p.await("late", time.Duration(r.Int64N(int64(c.opened+c.opened/4)))) // while it opens
	case how < 17:
		if p.await("ready", stopWithin) {
			p.await("late", time.Duration(r.Int64N(int64(120*time.Millisecond))))
		}
	case how == 17:
		if p.await("ready", stopWithin) {
			p.await("late", time.Duration(r.Int64N(int64(120*time.Millisecond))))
			dry = c.rest(p)
		}
	default:
		if p.await("ready", stopWithin) {
			p.await("late", time.Duration(r.Int64N(int64(60*time.Millisecond))))
		}
		_ = p.stdin.Close()
		if how == 18 {
			c.bury(p)
			c.total.stops++
			if c.w.last["bye"] == 0 {
				c.w.fault(nil, "the process has not stopped in order: %v", p.state)
			}
			c.w.died()
			return nil
		}
		p.await("late", time.Duration(r.Int64N(int64(10*time.Millisecond)))) // while it stops
	}
	_ = p.cmd.Process.Kill()
	c.bury(p)
	c.total.kills++
	if !dry {
		c.w.fault(nil, "it does not run dry")
	}
	if c.w.last["ready"] == 0 {
		c.total.early++
	}
	c.w.died()
	return nil
}

// rest lets a victim do what is left in the same life, where a crash does not help a job that
// nobody would wake.
func (c *campaign) rest(p *process) (dry bool) {
	c.total.dry++
	_, _ = p.stdin.Write([]byte{1})
	return p.await("dry", 2*dryWithin)
}

// runDry lets a victim do all that is left, and stop.
func (c *campaign) runDry(m mode, until string) (*process, error) {
	p, err := c.begin(c.next(m), -1)
	if err != nil {
		return nil, err
	}
	dry := p.await(until, 2*dryWithin)
	_ = p.stdin.Close()
	c.bury(p)
	if !dry && until == "dry" {
		c.w.fault(nil, "it does not run dry")
	}
	if dry && c.w.last["bye"] == 0 {
		c.w.fault(nil, "the process has not stopped in order: %v", p.state)
	}
	c.total.parked += len(c.w.parked)
	return p, nil
}

// inspect looks at the file while nobody has it.
func (c *campaign) inspect(ctx context.Context, last bool) {
	c.total.audits++
	s, err := boltstore.Open(ctx, c.path, boltstore.Options{})
	if err != nil {
		c.w.fault(nil, "open: %v", err)
		return
	}
	defer func() {
		if err := s.Close(); err != nil {
			c.w.fault(nil, "close: %v", err)
		}
	}()
	if err := s.Check(ctx); err != nil {
		c.w.fault(nil, "check: %v", err)
	}
	c.w.audit(ctx, s, last)
	if !last {
		return // a recovery would say who has the file
	}
	r, err := s.Recover(ctx, func(j *persist.Job) error {
		c.w.fault(c.w.ids[j.ID], "nothing is left to do, and job %d has not ended", j.ID)
		return nil
	})
	if err != nil {
		c.w.fault(nil, "recover: %v", err)
	}
	if !r.Clean {
		c.w.fault(nil, "the file says that it was not closed")
	}
	c.w.history(r, c.plan.History, c.plan.Dead)
}

// finish sums up.
func (c *campaign) finish() []string {
	c.total.jobs, c.total.entries, c.total.ends, c.total.reused = len(c.w.jobs), c.w.entered, c.w.ends, c.w.reused
	c.total.kinds = c.w.kinds
	return c.w.faults
}
