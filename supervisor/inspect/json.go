package inspect

import (
	"encoding/json"
	"math"
	"time"

	"github.com/taskvisor/taskvisor/policy"
)

// plain is an Explanation that encoding/json treats like any struct.
type plain Explanation

// seconds shadows the durations of plain. Nil is Forever.
type seconds struct {
	plain
	DelayLow  *float64 `json:"delay_low"`
	DelayHigh *float64 `json:"delay_high"`
	WorstStop *float64 `json:"worst_stop"`
	KeptStop  *float64 `json:"kept_stop"`
	TreeStop  *float64 `json:"tree_stop"`
}

// MarshalJSON returns the explanation with its durations in seconds, such as 2.5, and
// null for one that does not end.
func (e Explanation) MarshalJSON() ([]byte, error) {
	return json.Marshal(seconds{
		plain(e), inSeconds(e.DelayLow), inSeconds(e.DelayHigh),
		inSeconds(e.WorstStop), inSeconds(e.KeptStop), inSeconds(e.TreeStop),
	})
}

// UnmarshalJSON reads what MarshalJSON has written.
func (e *Explanation) UnmarshalJSON(text []byte) error {
	var s seconds
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	*e = Explanation(s.plain)
	e.DelayLow, e.DelayHigh = ofSeconds(s.DelayLow), ofSeconds(s.DelayHigh)
	e.WorstStop, e.KeptStop, e.TreeStop = ofSeconds(s.WorstStop), ofSeconds(s.KeptStop), ofSeconds(s.TreeStop)
	return nil
}

func inSeconds(d time.Duration) *float64 {
	if d == policy.Forever {
		return nil
	}
	s := d.Seconds()
	return &s
}

func ofSeconds(s *float64) time.Duration {
	if s == nil {
		return policy.Forever
	}
	return time.Duration(math.Round(*s * float64(time.Second)))
}
