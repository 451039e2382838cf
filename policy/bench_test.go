package policy

import (
	"testing"
	"time"
)

func BenchmarkNext(b *testing.B) {
	r := Rules{MaxRetries: 5}
	for b.Loop() {
		r.Next(Failed, 3)
	}
}

func BenchmarkNextBackOff(b *testing.B) {
	for _, j := range jitters.Values() {
		b.Run(j.String(), func(b *testing.B) {
			series := Backoff{Jitter: j}.New()
			for b.Loop() {
				series.NextBackOff()
			}
		})
	}
}

func BenchmarkBounds(b *testing.B) {
	for b.Loop() {
		Backoff{}.Bounds(20)
	}
}

func BenchmarkAllow(b *testing.B) {
	var w Window
	in, now := Intensity{100, time.Second}, epoch
	for b.Loop() {
		now = now.Add(5 * ms) // half of the restarts are one too many
		w.Allow(in, now)
	}
}

func TestDecidingDoesNotAllocate(t *testing.T) {
	var w Window
	in, now := Intensity{100, time.Second}, epoch
	for range 100 {
		w.Allow(in, now)
	}
	r, series := Rules{MaxRetries: 5}, Backoff{}.New()

	for name, decide := range map[string]func(){
		"Window.Allow": func() { now = now.Add(5 * ms); w.Allow(in, now) },
		"Window.InUse": func() { w.InUse(in, now) },
		"Rules.Next":   func() { _ = r.Next(Failed, 3) },
		"NextBackOff":  func() { series.NextBackOff() },
		"Bounds":       func() { Backoff{}.Bounds(20) },
		"Exit.String":  func() { _ = TimedOut.String() },
	} {
		if n := testing.AllocsPerRun(1000, decide); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}
