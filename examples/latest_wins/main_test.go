package main

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"
)

const story = `
In the middle, 6 run, 2 are stopping and 5 wait:
  acme/config   acme-config-1 is stopping, acme-config-3 waits
  acme/export   acme-export-1 is running, acme-export-2 waits, acme-export-3 waits
  acme/probe    acme-probe-3 is running
  birch/config  birch-config-1 is stopping, birch-config-2 waits
  birch/export  birch-export-1 is running, birch-export-2 waits
  cedar/config  cedar-config-1 is running
  cedar/export  cedar-export-1 is running
  cedar/probe   cedar-probe-3 is running
What has become of it all:
  acme-config-1   stopped halfway: a later one took its place
  acme-config-2   never ran: a later one took its turn
  acme-config-3   stopped halfway: a later one took its place
  acme-config-4   never ran: a later one took its turn
  acme-config-5   completed
  acme-export-1   completed
  acme-export-2   completed
  acme-export-3   completed
  acme-probe-1    completed
  acme-probe-2    never ran: one was running
  acme-probe-3    completed
  acme-probe-4    never ran: one was running
  acme-probe-5    completed
  birch-config-1  stopped halfway: a later one took its place
  birch-config-2  completed
  birch-export-1  completed
  birch-export-2  completed
  birch-probe-1   completed
  cedar-config-1  completed
  cedar-export-1  completed
  cedar-probe-1   completed
  cedar-probe-2   never ran: one was running
  cedar-probe-3   completed
What is in force:
  acme            version 5
  birch           version 2
  cedar           version 1
`

func TestTheLatestChangeOfEachTenantIsInForceAndEveryWishHasItsOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		began := time.Now()
		if err := run(t.Context(), &out); err != nil {
			t.Error(err)
		}
		if got := "\n" + out.String(); got != story {
			t.Errorf("the story is%s\nwant%s", got, story)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it takes %v", took)
		}
	})
}

func TestAnInterruptEndsItWithoutAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), tick)
		defer cancel()
		var out bytes.Buffer
		if err := run(ctx, &out); err != nil {
			t.Error(err)
		}
		if out.Len() > 0 {
			t.Errorf("it says something before anything has happened:\n%s", out.String())
		}
	})
}
