package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// A cell is one work of one competitor with one number of cores. It is measured by a
// process of its own.
type cell struct {
	work       work
	competitor string
	procs      int
}

func (c cell) String() string {
	s := c.work.name + ":" + c.competitor
	if c.procs != 0 {
		s += fmt.Sprintf(" (%d core)", c.procs)
	}
	return s
}

// cellTimeout is when a cell counts as hung.
const cellTimeout = 2 * time.Minute

// runner measures cells.
type runner struct {
	size     scale
	self     string
	erlang   *erlang // nil where it is not installed
	shared   string  // a folder for what cells need not make again
	slowable bool    // syncs can be held up
	progress io.Writer
}

func newRunner(size scale, progress io.Writer) (*runner, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	erl, err := findErlang()
	if err != nil {
		return nil, err
	}
	shared, err := os.MkdirTemp("", "bench-shared-")
	if err != nil {
		return nil, errors.Join(err, erl.close())
	}
	return &runner{size: size, self: self, erlang: erl, shared: shared, slowable: slowable(), progress: progress}, nil
}

// close removes what the runner has made.
func (r *runner) close() error { return errors.Join(r.erlang.close(), os.RemoveAll(r.shared)) }

// there reports whether a cell can be measured here.
func (r *runner) there(c cell) bool {
	switch {
	case c.competitor == otp:
		return r.erlang != nil
	case c.work.slow && !r.slowable:
		return false
	}
	return isThere(c.competitor)
}

// measure runs every cell of the works in every round. Cells that fail are named in
// the error, and missing in the samples.
func (r *runner) measure(ctx context.Context, all []work, rounds int) (samples, error) {
	got := samples{}
	var failed error
	for round := range rounds {
		for _, c := range roundOf(all, round) {
			if !r.there(c) {
				continue
			}
			begin := time.Now()
			f, err := r.one(ctx, c)
			if err != nil {
				failed = errors.Join(failed, fmt.Errorf("%v, round %d: %w", c, round+1, err))
			}
			if ctx.Err() != nil {
				return got, failed
			}
			got.add(c, f)
			r.say("round %d/%d  %-36v %6.2fs\n", round+1, rounds, c, time.Since(begin).Seconds())
		}
	}
	return got, failed
}

// roundOf returns the cells of one round in their order: work after work, the
// competitors in turn, another one first in every round.
func roundOf(all []work, round int) []cell {
	var cells []cell
	for _, w := range all {
		if w.rounds > 0 && round >= w.rounds {
			continue
		}
		for _, procs := range w.settings() {
			for _, by := range rotated(w.by, round) {
				cells = append(cells, cell{work: w, competitor: by, procs: procs})
			}
		}
	}
	return cells
}

// one runs one cell and returns its figures.
func (r *runner) one(ctx context.Context, c cell) (figures, error) {
	ctx, cancel := context.WithTimeout(ctx, cellTimeout)
	defer cancel()
	cmd := r.command(ctx, c)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%w: %s%s", err, stdout.Bytes(), stderr.Bytes())
	}
	var f figures
	if err := json.Unmarshal(stdout.Bytes(), &f); err != nil {
		return nil, fmt.Errorf("%w in %q", err, stdout.Bytes())
	}
	return f, nil
}

func (r *runner) command(ctx context.Context, c cell) *exec.Cmd {
	if c.competitor == otp {
		return r.erlang.command(ctx, c.work.name, r.size)
	}
	args := []string{"-cell", c.work.name + ":" + c.competitor}
	if r.size.quick {
		args = append(args, "-quick")
	}
	cmd := exec.CommandContext(ctx, r.self, args...)
	if r.shared != "" { // so that nothing is left of a cell that hangs
		cmd.Env = append(os.Environ(), sharedEnv+"="+r.shared, "TMPDIR="+r.shared)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if c.procs != 0 {
		cmd.Env = append(cmd.Environ(), "GOMAXPROCS="+strconv.Itoa(c.procs))
	}
	return cmd
}

// say tells how far it has got. That nobody can read it is no reason to stop.
func (r *runner) say(format string, args ...any) {
	_, _ = fmt.Fprintf(r.progress, format, args...)
}
