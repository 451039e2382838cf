//go:build unix

package torture

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// victimEnv has what a victim is told.
const victimEnv = "TASKVISOR_TORTURE_VICTIM"

var (
	cycles = flag.Int("cycles", 0, "how many lives there are; 0 for as many as there is time for")
	lasts  = flag.Duration("for", 0, "how long it lasts; 0 for no limit if there are cycles, and else a few seconds")
	seed   = flag.Uint64("seed", 0, "where chance begins; 0 for anywhere")
	each   = flag.Int("each", 100, "after how many lives there is a new file")
	keep   = flag.String("keep", "", "the folder where the file of a failure is kept; empty for a temporary one")
)

func TestMain(m *testing.M) {
	if text, ok := os.LookupEnv(victimEnv); ok {
		liveAndDie(text)
		os.Exit(0)
	}
	flag.Parse()
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano()) & 0xFFFFFFFF
	}
	os.Exit(m.Run())
}

// patience is how long the short tests kill.
const patience = 4 * time.Second

func TestWhatWasAcknowledgedSurvivesAnyKill(t *testing.T) {
	limit := *lasts
	if limit == 0 && *cycles == 0 {
		limit = patience
	}
	began := time.Now()
	over := func() bool { return limit > 0 && time.Since(began) >= limit }
	var sum totals
	for i := uint64(0); i == 0 || !over() && (*cycles == 0 || sum.lives < *cycles); i++ {
		c := newCampaign(t.TempDir(), *seed+i)
		for n := 0; n < *each && !over() && (*cycles == 0 || sum.lives+n < *cycles) && len(c.w.faults) == 0; n++ {
			if err := c.cycle(); err != nil {
				t.Fatal(err)
			}
			if c.rand.IntN(15) == 0 {
				c.inspect(t.Context(), false)
			}
		}
		if len(c.w.faults) == 0 {
			if _, err := c.runDry(drain, "dry"); err != nil {
				t.Fatal(err)
			}
			c.inspect(t.Context(), true)
		}
		faults := c.finish()
		sum.add(c.total)
		if testing.Verbose() {
			t.Logf("seed %d: %v", *seed+i, &c.total)
		}
		if report(t, c, *seed+i, faults) {
			break
		}
	}
	t.Logf("seed %d: %v, in %v", *seed, &sum, time.Since(began).Round(time.Second))
}

// A job that kills its process is put aside, and everything else is done.
func TestAJobThatKillsItsProcessIsParkedAndNothingElseIs(t *testing.T) {
	rounds := max(1, *cycles/100)
	var sum totals
	for i := range rounds {
		c := newCampaign(t.TempDir(), *seed+uint64(i))
		c.plan.Crashes = 1 + c.rand.IntN(3)
		c.plan.Poisons = 1 + c.rand.IntN(3)
		if err := c.doom(); err != nil {
			t.Fatal(err)
		}
		if len(c.w.faults) == 0 {
			c.inspect(t.Context(), true)
		}
		faults := c.finish()
		sum.add(c.total)
		if report(t, c, *seed+uint64(i), faults) {
			break
		}
	}
	t.Logf("seed %d: %v", *seed, &sum)
}

// doom has poisoned jobs kill their process until they are parked, and lets them go then.
func (c *campaign) doom() error {
	deaths := map[*job]int{}
	most := c.plan.Crashes + 2*c.plan.Poisons + 1
	for quiet := false; !quiet && len(c.w.faults) == 0; {
		if _, err := c.runDry(doom, "quiet"); err != nil {
			return err
		}
		quiet = c.w.last["quiet"] > 0
		for j := range c.w.open {
			if j.Fate == kills {
				deaths[j]++
			}
			if deaths[j] > most {
				c.w.fault(j, "it has killed %d processes, and should have been parked", deaths[j])
			}
		}
		if c.w.last["ready"] == 0 {
			c.w.fault(nil, "the process has not come so far as to be killed")
		}
		if !quiet {
			c.total.kills++
		}
		c.w.died()
	}
	poisons := 0
	for _, j := range c.w.jobs {
		crashes, parked := c.w.parked[j.id]
		switch {
		case j.Fate != kills && parked:
			c.w.fault(j, "it is parked, and kills nobody")
		case j.Fate == kills && !parked:
			c.w.fault(j, "it kills its process, and is not parked")
		case j.Fate == kills && (crashes != c.plan.Crashes || deaths[j] < c.plan.Crashes):
			c.w.fault(j, "it is parked after %d crashes in which it was alone, of %d, and it should be %d", crashes, deaths[j], c.plan.Crashes)
		case j.Fate != kills && j.ended == 0 && !j.ok:
			c.w.fault(j, "it was not done beside those that kill")
		}
		if j.Fate == kills {
			poisons++
		}
	}
	if poisons != c.plan.Poisons {
		c.w.fault(nil, "%d jobs kill, and it should be %d", poisons, c.plan.Poisons)
	}
	if len(c.w.faults) > 0 {
		return nil
	}
	_, err := c.runDry(drain, "dry") // where they do not kill
	return err
}

// report tells what was not kept, and keeps the file.
func report(t *testing.T, c *campaign, seed uint64, faults []string) (failed bool) {
	for _, f := range faults {
		t.Errorf("seed %d, of %d lives: %s", seed, c.total.lives, f)
	}
	if len(faults) == 0 {
		return false
	}
	folder := *keep
	if folder == "" {
		folder = os.TempDir()
	}
	to := filepath.Join(folder, "torture-"+time.Now().Format("20060102-150405")+".db")
	if text, err := os.ReadFile(c.path); err != nil {
		t.Log(err)
	} else if err := os.WriteFile(to, text, 0o600); err != nil {
		t.Log(err)
	} else {
		t.Logf("the file is kept in %s", to)
	}
	return true
}
