package boltstore

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/persist"
)

// The process that is killed inserts jobs, and ends each a while later. It tells the last
// ID that it has inserted, and the last that it has ended, after each commit.
func init() {
	roles["work"] = func(path string) {
		s, err := Open(ctx, path, Options{})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		r, err := s.Recover(ctx, func(*persist.Job) error { return nil })
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		rnd := rand.New(rand.NewPCG(uint64(r.Next), 0))
		next, done := r.Next, r.Next
		for {
			var steps []persist.Step
			for range 1 + rnd.IntN(20) {
				steps = append(steps, insert(next, rnd.IntN(6000)))
				next++
			}
			for ; done+30 < next; done++ {
				steps = append(steps, amend(done, 1), resolve(done, persist.Completed))
				steps[len(steps)-1].State.Fence = 1
			}
			steps = append(steps, prune(persist.Completed, max(0, int(s.tally.past[persist.Completed])-200)))
			if _, err := s.Commit(ctx, steps); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			var told [16]byte
			binary.BigEndian.PutUint64(told[:], uint64(next-1))
			binary.BigEndian.PutUint64(told[8:], uint64(done-1))
			os.Stdout.Write(told[:])
		}
	}
}

func TestWhatWasAcknowledgedIsThereAfterAKill(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	for round := range rounds {
		cmd := another(t, "work", path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}

		// Kill it after a number of commits and a moment, and hear what it has still told.
		in := bufio.NewReader(out)
		var told [16]byte
		last, done := persist.ID(0), persist.ID(0)
		hear := func() bool {
			if _, err := io.ReadFull(in, told[:]); err != nil {
				return false
			}
			last = persist.ID(binary.BigEndian.Uint64(told[:]))
			done = persist.ID(binary.BigEndian.Uint64(told[8:]))
			return true
		}
		for range 1 + rnd.IntN(60) {
			if !hear() {
				t.Fatal("it has died by itself")
			}
		}
		<-time.After(time.Duration(rnd.IntN(2000)) * time.Microsecond)
		cmd.Process.Kill()
		for hear() {
		}
		cmd.Wait()

		s := open(t, path, Options{CheckOnOpen: true})
		c := mustRead(t, s)
		if c.Recovery.Clean || c.Recovery.Next <= last {
			t.Fatalf("round %d: %+v, and %d was acknowledged", round, c.Recovery, last)
		}
		for id := persist.ID(1); id <= last; id++ {
			j, err := s.Job(ctx, id)
			switch ended := id <= done; {
			case ended && errors.Is(err, persist.ErrPruned):
			case err != nil:
				t.Fatalf("round %d: job %d: %v", round, id, err)
			case ended && j.End == nil:
				t.Fatalf("round %d: job %d has ended, and is told not to have", round, id)
			}
		}

		// The next round begins with nothing left to do.
		var steps []persist.Step
		for _, j := range c.Live {
			end := resolve(j.ID, persist.Completed)
			end.State.Fence = j.Fence
			steps = append(steps, end)
		}
		commit(t, s, steps...)
		check(t, s)
		s.crash()
	}
}
