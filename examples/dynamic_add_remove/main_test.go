package main

import (
	"bytes"
	"testing"
	"testing/synctest"
)

const story = `
manager:   manager  is running
manager:   ticker   is running
manager:   report   is running
ticker: tick
ticker: tick
manager: the report has completed
manager:   manager  is running
manager:   ticker   is running
ticker: taskvisor: the task was removed
manager:   manager  is running
`

func TestTasksComeAndGoAndTheProgramEnds(t *testing.T) {
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
