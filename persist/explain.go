package persist

import (
	"fmt"
	"time"

	"github.com/taskvisor/taskvisor/policy"
)

// Setting is one setting of a type, and where it comes from.
type Setting struct {
	Name string `json:"name"`
	// Value is for people.
	Value string `json:"value"`
	// From is "default", "queue", "domain", "type", "batch" or "submission".
	From string `json:"from"`
}

// explain lists the settings.
func (s *settings) explain() []Setting {
	values := [settingsCount]any{
		setPriority: s.priority, setGroup: s.group, setKey: s.keyText(), setLabel: s.label, setRunAt: s.runAtText(), setTTL: s.ttlText(),
		setDuplicates: s.duplicates, setDurability: s.durability, setMaxRetries: retriesText(s.rules.MaxRetries),
		setBackoff: s.rules.Backoff, setTimeout: durationText(s.rules.Timeout), setStall: durationText(s.rules.Stall),
		setGrace: durationText(s.rules.Grace), setCodec: named{s.codec}, setTags: s.tags, setAliases: s.aliases,
	}
	list := make([]Setting, settingsCount)
	for i := range list {
		list[i] = Setting{Name: settingNames[i], Value: fmt.Sprint(values[i]), From: layerNames[s.from[i]]}
	}
	return list
}

func (s *settings) keyText() string {
	switch s.keying {
	case keyOfType:
		return "made by the type"
	case keyGiven:
		return s.key
	case keyNone:
		return "none"
	}
	return "of the payload"
}

func (s *settings) runAtText() string {
	switch {
	case !s.at.IsZero():
		return s.at.Format(time.RFC3339)
	case s.delay > 0:
		return "after " + s.delay.String()
	}
	return "at once"
}

func (s *settings) ttlText() string {
	if s.ttl == 0 {
		return "none"
	}
	return fmt.Sprintf("%v from %v", s.ttl, s.ttlFrom)
}

func retriesText(n int) string {
	switch n {
	case policy.NoRetry:
		return "0"
	case policy.Unlimited:
		return "unlimited"
	}
	return fmt.Sprint(n)
}

func durationText(d time.Duration) string {
	if d == policy.NoTimeout {
		return "none"
	}
	return d.String()
}
