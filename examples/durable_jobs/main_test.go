package main

import (
	"bytes"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

const story = `
The first process:
  letter 1: completed after 1 attempt
  letter 2: completed after 2 attempts, the last error was "lost the way"
  letter 3: failed after 1 attempt, the last error was "nobody to send it to"
  letter 4: dead_letter after 3 attempts, the last error was "the bridge is out"
  dead letters: 4, to be revived when there is a bridge again
  letter 5 is delayed: it waits for its time
The next process, with the same file:
  letter 4: completed after 4 attempts, the last error was "the bridge is out"
  once more? revive job 4: the job has completed
  4 jobs have ended, 1 waits for its time
`

func TestALetterIsTriedAgainDiesAndIsRevivedByTheNextProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		began := time.Now()
		if err := run(t.Context(), &out, filepath.Join(t.TempDir(), "letters.db")); err != nil {
			t.Error(err)
		}
		if got := "\n" + out.String(); got != story {
			t.Errorf("the story is%s\nwant%s", got, story)
		}
		// One retry of the second letter, and two of the fourth.
		if took := time.Since(began); took != 400*time.Millisecond {
			t.Errorf("the pauses take %v", took)
		}
	})
}
