package persist

import (
	"testing"
	"time"
)

// Whatever the wall clock was set by, what is past is due at once, and what is far away is far away.
func TestAClockThatWasSetKeepsWhatIsFarAway(t *testing.T) {
	var c clock
	for _, drift := range []time.Duration{0, time.Second, -time.Second, time.Hour, -40 * 365 * 24 * time.Hour, 40 * 365 * 24 * time.Hour} {
		c = newClock()
		c.drift = drift
		wall := c.base.Round(0).Add(drift)
		for _, row := range []struct {
			what string
			at   time.Time
			want func(i instant) bool
		}{
			{"the first moment of all", time.Time{}.Add(1), func(i instant) bool { return i == 1 }},
			{"before the first year", time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC), func(i instant) bool { return i == 1 }},
			{"before there was anything", time.Unix(-1<<60, 0), func(i instant) bool { return i == 1 }},
			{"farther back than a duration reaches", time.Date(1700, 1, 1, 0, 0, 0, 0, time.UTC), func(i instant) bool { return i == 1 }},
			{"a moment ago", wall.Add(-1), func(i instant) bool { return i == 1 }},
			{"now", wall, func(i instant) bool { return i == 1 }},
			{"in a moment", wall.Add(1), func(i instant) bool { return i == 2 }},
			{"as far as a job may wait", wall.Add(MaxWait), func(i instant) bool { return c.wall(i).Equal(wall.Add(MaxWait)) }},
			{"farther than a duration reaches", wall.AddDate(7000, 0, 0), func(i instant) bool { return i == never }},
			{"the last moment of all", time.Unix(1<<61, 0), func(i instant) bool { return i == never }},
		} {
			if i := c.at(row.at); !row.want(i) {
				t.Errorf("set by %v: %s is instant %d", drift, row.what, i)
			}
		}
	}
}
