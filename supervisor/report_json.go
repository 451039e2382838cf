package supervisor

import (
	"encoding/json"
	"time"

	"github.com/taskvisor/taskvisor/actor"
)

// plainReport and plainTask are the types as encoding/json treats any struct.
type (
	plainReport StopReport
	plainTask   StoppedTask
)

// The types that are written shadow the durations, and what has no names of its own
// for JSON.
type (
	reportJSON struct {
		plainReport
		Took float64 `json:"took"`
	}
	taskJSON struct {
		plainTask
		Took  float64    `json:"took"`
		Stuck *stuckJSON `json:"stuck,omitempty"`
	}
	stuckJSON struct {
		Path       string          `json:"path"`
		Attempt    int             `json:"attempt"`
		Generation int             `json:"generation"`
		For        float64         `json:"for"`
		Goroutines []goroutineJSON `json:"goroutines,omitempty"`
	}
	goroutineJSON struct {
		Path  string `json:"path"`
		Label string `json:"label"`
		Count int    `json:"count"`
		Stack string `json:"stack"`
	}
)

// MarshalJSON returns the report with its durations in seconds, such as 2.5.
func (r StopReport) MarshalJSON() ([]byte, error) {
	return json.Marshal(reportJSON{plainReport(r), r.Took.Seconds()})
}

// UnmarshalJSON reads what MarshalJSON has written. Errors are texts then.
func (r *StopReport) UnmarshalJSON(text []byte) error {
	var j reportJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	*r = StopReport(j.plainReport)
	r.Took = seconds(j.Took)
	return nil
}

// MarshalJSON returns the task with its durations in seconds, such as 2.5.
func (t StoppedTask) MarshalJSON() ([]byte, error) {
	j := taskJSON{plainTask: plainTask(t), Took: t.Took.Seconds()}
	if t.Stuck != nil {
		j.Stuck = &stuckJSON{
			Path: t.Stuck.Path, Attempt: t.Stuck.Attempt, Generation: t.Stuck.Generation, For: t.Stuck.For.Seconds(),
		}
		for _, g := range t.Stuck.Goroutines {
			j.Stuck.Goroutines = append(j.Stuck.Goroutines, goroutineJSON(g))
		}
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON has written. Errors are texts then.
func (t *StoppedTask) UnmarshalJSON(text []byte) error {
	var j taskJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	*t = StoppedTask(j.plainTask)
	t.Took = seconds(j.Took)
	if j.Stuck != nil {
		t.Stuck = &actor.StuckError{
			Path: j.Stuck.Path, Attempt: j.Stuck.Attempt, Generation: j.Stuck.Generation, For: seconds(j.Stuck.For),
		}
		for _, g := range j.Stuck.Goroutines {
			t.Stuck.Goroutines = append(t.Stuck.Goroutines, actor.Goroutine(g))
		}
	}
	return nil
}

// seconds rounds off what the way through a decimal fraction has added.
func seconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second)).Round(time.Microsecond)
}
