package main

import (
	"bytes"
	"path/filepath"
	"testing"
	"testing/synctest"
)

const story = `
A night's work, with one commit:
  holiday/beach  job 3, duplicate
  holiday/dune   job 1, inserted
  holiday/sea    job 2, inserted
  holiday/beach  job 3, inserted
  raw/one        job 4, inserted
  raw/two        job 5, inserted
  wedding/cake   job 6, inserted
Somebody comes and waits:
  wedding/cake   job 6, upgraded
  holiday/dune   job 7, requeued
  holiday/beach  job 3, upgraded
Why they wait:
  job 3: group "holiday" runs 2 of at most 2 jobs
  job 5: group "raw" runs 1 of at most 1 jobs
  job 6: all 3 workers are busy
After a while:
  holiday/dune    67% 2 of 3 sizes
  holiday/beach    0% opened
  raw/one         50% 2 of 4 sizes
What has become of them:
  1 holiday/dune   background    0s to 300ms
  2 holiday/sea    background    0s to 200ms
  3 holiday/beach  high       200ms to 400ms
  4 raw/one        background    0s to 400ms
  5 raw/two        background 400ms to 500ms
  6 wedding/cake   high       300ms to 600ms
  7 holiday/dune   high       400ms to 700ms
`

func TestABatchIsOneJobForEachPictureAndRunsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		if err := run(t.Context(), &out, filepath.Join(t.TempDir(), "albums.db")); err != nil {
			t.Error(err)
		}
		if got := "\n" + out.String(); got != story {
			t.Errorf("the story is%s\nwant%s", got, story)
		}
	})
}
