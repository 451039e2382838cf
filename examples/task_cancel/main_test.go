package main

import (
	"bytes"
	"testing"
	"testing/synctest"
)

const story = `
worker: round 1 is done
worker: round 2 is done
operator: the list:
  worker    running
  operator  running
worker: round 3 is cut short: taskvisor: the task was stopped
operator: the list:
  worker    stopped
  operator  running
operator: the list:
  operator  running
operator: stop worker: no such child (not found: true)
`

func TestTheWorkerIsStoppedFromOutsideAndTheProgramEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		if err := run(t.Context(), &out); err != nil {
			t.Error(err)
		}
		if got := "\n" + out.String(); got != story {
			t.Errorf("the story is%s\nwant%s", got, story)
		}
	})
}
