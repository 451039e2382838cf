package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// story is what the console shows: what happened, to whom, at which attempt.
const story = `
added /app/download
started /app/download attempt=1
up /app
failed /app/download attempt=1
retrying /app/download attempt=1
started /app/download attempt=2
failed /app/download attempt=2
retrying /app/download attempt=2
started /app/download attempt=3
succeeded /app/download attempt=3
finished /app/download attempt=3
closing /app
down /app
`

var (
	line  = regexp.MustCompile(`(?m)^[\d:.]+ +(.+?) +(/\S+)(?: ( attempt=\d+))?.*$`)
	delay = regexp.MustCompile(`delay=(\S+)`)
)

func TestTheThirdAttemptSucceedsAndTheProgramEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		if err := run(t.Context(), &out); err != nil {
			t.Error(err)
		}
		if got := "\n" + line.ReplaceAllString(out.String(), "$1 $2$3"); got != story {
			t.Errorf("the story is%s\nwant%s", got, story)
		}
		if want := `error="mirror 2: connection refused"`; !strings.Contains(out.String(), want) {
			t.Errorf("the second failure does not say %s:\n%s", want, &out)
		}
	})
}

func TestTheDelaysGrowAndAreWaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		began := time.Now()
		if err := run(t.Context(), &out); err != nil {
			t.Error(err)
		}
		waited := time.Since(began) - 3*30*time.Millisecond

		var told time.Duration
		for i, match := range delay.FindAllStringSubmatch(out.String(), -1) {
			d, err := time.ParseDuration(match[1])
			if err != nil {
				t.Fatal(err)
			}
			if most := 100 * time.Millisecond << i; d < most/2 || d > most {
				t.Errorf("delay %d is %v, want between %v and %v", i+1, d, most/2, most)
			}
			told += d
		}
		if off := (waited - told).Abs(); off > time.Millisecond { // the console rounds
			t.Errorf("the console tells of %v in all, and it took %v", told, waited)
		}
	})
}
