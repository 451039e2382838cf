package main

import (
	"bytes"
	"testing"
	"testing/synctest"
)

func TestTheFailureOfBravoIsAlertedAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		if err := run(t.Context(), &out); err != nil {
			t.Error(err)
		}
		const want = "ALERT: /app/bravo failed at attempt 2: no space left on device\nthe app has ended: task /app/bravo: no space left on device\n"
		if got := out.String(); got != want {
			t.Errorf("got:\n%swant:\n%s", got, want)
		}
	})
}
