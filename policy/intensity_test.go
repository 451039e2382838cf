package policy

import (
	"math"
	"testing"
	"time"
)

var epoch = time.Unix(1_000_000, 0)

func TestAllow(t *testing.T) {
	for _, c := range []struct {
		says string
		in   Intensity
		at   []int // seconds
		want string
	}{
		{"zero sets no limit", Intensity{}, []int{0, 0, 0, 0}, "yyyy"},
		{"none in a while refuses the first", Intensity{0, time.Minute}, []int{0, 999}, "nn"},
		{"as many as allowed pass, one more does not", Intensity{3, 10 * time.Second}, []int{0, 1, 2, 3}, "yyyn"},
		{"a restart exactly as long ago still counts", Intensity{1, 10 * time.Second}, []int{0, 10}, "yn"},
		{"a restart longer ago does not count", Intensity{1, 10 * time.Second}, []int{0, 11}, "yy"},
		{"room comes back one by one", Intensity{2, 10 * time.Second}, []int{0, 5, 6, 11, 12, 16}, "yynyny"},
		{"what was refused does not count", Intensity{1, 10 * time.Second}, []int{0, 9, 11}, "yny"},
		{"restarts of one moment count each", Intensity{2, time.Second}, []int{0, 0, 0}, "yyn"},
		{"a window can be endless", Intensity{2, Forever}, []int{0, 1, math.MaxInt32}, "yyn"},
		{"a clock gone back makes no room", Intensity{1, 10 * time.Second}, []int{100, 0, 110, 111}, "ynny"},
		{"a refused negative number refuses all", Intensity{-1, time.Second}, []int{0}, "n"},
	} {
		var w Window
		got := ""
		for _, s := range c.at {
			if w.Allow(c.in, epoch.Add(time.Duration(s)*time.Second)) {
				got += "y"
			} else {
				got += "n"
			}
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", c.says, got, c.want)
		}
	}
}

func TestInUse(t *testing.T) {
	var w Window
	in := Intensity{5, 10 * time.Second}
	if got := w.InUse(in, epoch); got != 0 {
		t.Errorf("%d are in use of an empty window", got)
	}
	for s := range 5 {
		w.Allow(in, epoch.Add(time.Duration(s)*time.Second))
	}
	for _, c := range []struct{ second, want int }{{-5, 5}, {4, 5}, {10, 5}, {11, 4}, {14, 1}, {15, 0}, {11, 4}} {
		if got := w.InUse(in, epoch.Add(time.Duration(c.second)*time.Second)); got != c.want {
			t.Errorf("at second %d %d are in use, want %d", c.second, got, c.want)
		}
	}
	if got := w.InUse(Intensity{}, epoch); got != 0 {
		t.Errorf("%d are in use without a limit", got)
	}
}

func TestWindowTakesAnotherIntensity(t *testing.T) {
	var w Window
	for range 8 {
		w.Allow(Intensity{8, time.Minute}, epoch)
	}
	if w.Allow(Intensity{3, time.Minute}, epoch) {
		t.Error("a lower limit does not bind")
	}
	for i := range 4 {
		if !w.Allow(Intensity{12, time.Minute}, epoch) {
			t.Errorf("restart %d of a higher limit is refused", i)
		}
	}
	if w.Allow(Intensity{12, time.Minute}, epoch) {
		t.Error("a higher limit does not bind")
	}
	if !w.Allow(Intensity{3, time.Minute}, epoch.Add(time.Hour)) {
		t.Error("a lower limit counts what has left the window")
	}
}

func TestWindowKeepsNoMoreThanItNeeds(t *testing.T) {
	var w Window
	in := Intensity{1_000_000_000, time.Second}
	for i := range 100_000 {
		if !w.Allow(in, epoch.Add(time.Duration(i)*100*ms)) {
			t.Fatal("refused")
		}
	}
	if len(w.ring) > 16 {
		t.Errorf("it keeps %d restarts although only 11 are in the window", len(w.ring))
	}
}

// naive is a Window as one would first think of it.
type naive struct{ restarts []time.Time }

func (n *naive) inUse(in Intensity, now time.Time) (used int) {
	for _, t := range n.restarts {
		if now.Before(t) || now.Sub(t) <= in.Within {
			used++
		}
	}
	return used
}

func (n *naive) allow(in Intensity, now time.Time) bool {
	if n.inUse(in, now) >= in.Restarts {
		return false
	}
	n.restarts = append(n.restarts, now)
	return true
}

func FuzzWindowIsTheNaiveWindow(f *testing.F) {
	f.Add(uint8(3), uint16(10), []byte{0, 1, 2, 3, 4, 200, 1, 1, 1})
	f.Add(uint8(0), uint16(5), []byte{0, 9})
	f.Add(uint8(40), uint16(300), []byte("0101010101010101010101010101010101010101010101010101"))
	f.Fuzz(func(t *testing.T, restarts uint8, within uint16, steps []byte) {
		in := Intensity{int(restarts), time.Duration(within)}
		if in.IsZero() {
			return
		}

		var w Window
		var model naive
		now := epoch
		for i, step := range steps {
			now = now.Add(time.Duration(step))
			if got, want := w.InUse(in, now), model.inUse(in, now); got != want {
				t.Fatalf("%+v, step %d: %d are in use, want %d", in, i, got, want)
			}
			if got, want := w.Allow(in, now), model.allow(in, now); got != want {
				t.Fatalf("%+v, step %d: allowed is %v, want %v", in, i, got, want)
			}
		}
	})
}
