package inspect

import (
	"fmt"
	"strings"
	"time"

	"github.com/taskvisor/taskvisor/supervisor"
)

// UsualStop is what platforms for containers leave a process by default between
// asking it to stop and killing it.
const UsualStop = 30 * time.Second

// Finding is one contradiction in the settings of a tree.
type Finding struct {
	// Path is the task, or the supervisor, whose setting is to be looked at.
	Path string `json:"path"`
	// Check is what it was found by.
	Check Check `json:"check"`
	// Problem says what is the case, with the numbers. Its text is for people.
	Problem string `json:"problem"`
	// Remedy says what would mend it.
	Remedy string `json:"remedy"`
}

// String returns the finding in one line.
func (f Finding) String() string {
	return fmt.Sprintf("%s: %v: %s; %s", f.Path, f.Check, f.Problem, f.Remedy)
}

// Vet returns the contradictions in the settings of the tree below s, in the order of
// the tree: a supervisor before its Defaults, these before its children, elders first,
// and for each in the order of the checks. It looks at what is declared, and none of it
// has to run. What is found in Defaults has the path of their supervisor, and is not
// repeated for the children that inherit it. What Validate refuses is a finding too, and
// the only one about that supervisor and what is below.
func Vet(s *supervisor.Supervisor) []Finding {
	if s == nil {
		return nil
	}
	return vet(planOf(s), nil)
}

func vet(n *node, found []Finding) []Finding {
	if n.invalid != nil {
		return append(found, invalid(n.path, n.invalid))
	}
	for _, c := range checks {
		if n.inherits(c.check) {
			continue // it is looked at with the defaults
		}
		if problem, remedy := c.find(n); problem != "" {
			found = append(found, Finding{Path: n.path, Check: c.check, Problem: problem, Remedy: remedy})
		}
	}
	if n.below == nil {
		return found
	}
	found = vetDefaults(n.below, found)
	for _, c := range n.below.declared {
		found = vet(c, found)
	}
	return found
}

func vetDefaults(f *family, found []Finding) []Finding {
	heir := f.heir()
	for _, c := range checks {
		if !heir.inherits(c.check) {
			continue // it is not for the defaults alone to say
		}
		if problem, remedy := c.find(heir); problem != "" {
			found = append(found, Finding{
				Path: f.self.path, Check: c.check, Remedy: remedy,
				Problem: "where a task inherits its Defaults, " + problem,
			})
		}
	}
	return found
}

func invalid(path string, err error) Finding {
	return Finding{
		Path: path, Check: CheckInvalid, Remedy: "mend it, for Run refuses it too",
		Problem: strings.ReplaceAll(err.Error(), "\n", " "),
	}
}

// checks are looked at for each task of a tree and for its root, in this order. No
// problem means that there is nothing to find, or that it is not certain.
var checks = []struct {
	check Check
	find  func(*node) (problem, remedy string)
}{
	{CheckIntensityOutOfReach, intensityOutOfReach},
	{CheckRetriesOutOfReach, retriesOutOfReach},
	{CheckBusyLoop, busyLoop},
	{CheckUnusedRetrySettings, unusedRetrySettings},
	{CheckNeverHealthy, neverHealthy},
	{CheckStallUnnoticed, stallUnnoticed},
	{CheckNeverStuck, neverStuck},
	{CheckGraceCutShort, graceCutShort},
	{CheckGracesInSum, gracesInSum},
	{CheckStopTimeoutCutShort, stopTimeoutCutShort},
	{CheckLameDuckTooLong, lameDuckTooLong},
	{CheckSlowStop, slowStop},
	{CheckTooFewPermits, tooFewPermits},
	{CheckConcurrencyNoEffect, concurrencyNoEffect},
	{CheckStartTimeoutCutShort, startTimeoutCutShort},
	{CheckNoRetryAtStart, noRetryAtStart},
	{CheckNoSignificantChild, noSignificantChild},
	{CheckSignificantOptional, significantOptional},
}
