package main

import (
	"bytes"
	"context"
	"os"
	"os/signal"
	"testing"
	"testing/synctest"
	"time"
)

// Main listens for signals. The goroutine that package os/signal starts for that,
// once and for ever, must not belong to a bubble.
func TestMain(m *testing.M) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt)
	signal.Stop(c)
	os.Exit(m.Run())
}

func TestTheTaskTicksThreeTimesAndTheProgramEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		began := time.Now()
		if err := run(t.Context(), &out); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 1500*time.Millisecond {
			t.Errorf("three ticks took %v", took)
		}
		const want = "tick 1 of 3\ntick 2 of 3\ntick 3 of 3\nnothing is left to run: the program ends\n"
		if got := out.String(); got != want {
			t.Errorf("got:\n%swant:\n%s", got, want)
		}
	})
}

func TestTheEndOfTheContextInterruptsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
		defer cancel()
		var out bytes.Buffer
		if err := run(ctx, &out); err != nil {
			t.Errorf("a stop that was asked for is an error: %v", err)
		}
		const want = "tick 1 of 3\ninterrupted: taskvisor: the supervisor shuts down\nnothing is left to run: the program ends\n"
		if got := out.String(); got != want {
			t.Errorf("got:\n%swant:\n%s", got, want)
		}
	})
}
