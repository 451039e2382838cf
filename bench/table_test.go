package main

import (
	"slices"
	"strings"
	"testing"
)

func TestMedianIsTheMiddle(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0},
		{[]float64{7}, 7},
		{[]float64{3, 1}, 2},
		{[]float64{9, 1, 5}, 5},
		{[]float64{4, 1, 3, 100}, 3.5},
	} {
		before := slices.Clone(c.values)
		if got := median(c.values); got != c.want {
			t.Errorf("median(%v) = %v, want %v", c.values, got, c.want)
		}
		if !slices.Equal(c.values, before) {
			t.Errorf("median changed %v to %v", before, c.values)
		}
	}
}

func TestSpreadIsAShareOfTheMedian(t *testing.T) {
	if got := spread([]float64{8, 10, 13}); got != 0.5 {
		t.Errorf("spread = %v, want 0.5", got)
	}
	if got := spread(nil); got != 0 {
		t.Errorf("spread of nothing = %v", got)
	}
}

func TestEveryRoundBeginsWithAnother(t *testing.T) {
	list := []string{"a", "b", "c"}
	for n, want := range []string{"abc", "bca", "cab", "abc"} {
		if got := strings.Join(rotated(list, n), ""); got != want {
			t.Errorf("round %d is %s, want %s", n, got, want)
		}
	}
	if got := rotated([]string(nil), 3); len(got) != 0 {
		t.Errorf("nothing rotated is %v", got)
	}
}

func TestAWorkIsMeasuredInAsManyRoundsAsItSays(t *testing.T) {
	list := []work{{name: "often", by: []string{ours, bare}, procs: []int{1, 0}}, {name: "twice", by: []string{ours}, rounds: 2}}
	for round, want := range []string{
		"often:taskvisor (1 core) often:bare (1 core) often:taskvisor often:bare twice:taskvisor",
		"often:bare (1 core) often:taskvisor (1 core) often:bare often:taskvisor twice:taskvisor",
		"often:taskvisor (1 core) often:bare (1 core) often:taskvisor often:bare",
	} {
		var got []string
		for _, c := range roundOf(list, round) {
			got = append(got, c.String())
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("round %d is %s\nwant %s", round, s, want)
		}
	}
}

func TestVerdict(t *testing.T) {
	at := coordinates{work: "w", figure: "f"}
	s := samples{
		at.by(ours):       {20, 10, 90},
		at.by(bare):       {10},
		at.by(suturePeer): {100, 300},
		{work: "other", figure: "f", competitor: ours}: {19},
	}
	for _, c := range []struct {
		targets []target
		want    string
	}{
		{nil, "–"},
		{[]target{atMost(20)}, "met"},
		{[]target{atMost(19.9)}, "missed"},
		{[]target{times(2, bare)}, "met"},
		{[]target{times(1.9, bare)}, "missed"},
		{[]target{times(0.1, suturePeer)}, "met"},
		{[]target{times(0.1, suturePeer), atMost(19)}, "missed"},
		{[]target{timesLine(1.1, "other", "f", "the other")}, "met"},
		{[]target{timesLine(1, "other", "f", "the other")}, "missed"},
		{[]target{timesBest(2, otp, bare, suturePeer)}, "met"},
		{[]target{timesBest(1.9, suturePeer, bare)}, "missed"},
		{[]target{timesBest(2, otp)}, "unknown"},
		{[]target{times(2, otp)}, "unknown"},
		{[]target{times(2, otp), atMost(20)}, "unknown"},
		{[]target{times(2, otp), atMost(1)}, "missed"},
	} {
		if got := verdict(c.targets, at, s.median); got != c.want {
			t.Errorf("verdict(%+v) = %s, want %s", c.targets, got, c.want)
		}
	}
	if got := verdict([]target{atMost(1)}, coordinates{work: "not measured"}, s.median); got != "unknown" {
		t.Errorf("verdict on nothing = %s", got)
	}
}

func TestTable(t *testing.T) {
	w := work{
		name: "w", family: "F", by: []string{bare, ours, suturePeer, otp}, procs: []int{1},
		lines: []line{{figure: "f", title: "do it", unit: "ns", targets: []target{times(2, bare), atMost(500)}}},
	}
	at := coordinates{work: "w", figure: "f", procs: 1}
	r := report{
		works: []work{w},
		samples: samples{
			at.by(bare): {1000}, at.by(ours): {1500, 1400, 1600}, at.by(suturePeer): {3000},
		},
		verdicts: true,
	}
	want := strings.TrimLeft(`
| work            | unit | bare  | taskvisor   | suture      | otp    | ours ÷ suture | target                  | verdict | spread of ours |
|-----------------|------|-------|-------------|-------------|--------|---------------|-------------------------|---------|----------------|
| do it, one core | ns   | 1,000 | 1,500 (1.5) | 3,000 (3.0) | absent | 0.5           | ≤ 2 × bare and ≤ 500 ns | missed  | 13 %           |
`, "\n")
	if got := render(r.table("F")); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	r.erlang, r.verdicts = true, false
	row := r.table("F")[1]
	if row[5] != "–" || row[8] != "–" {
		t.Errorf("with Erlang but nothing measured, and no verdicts, the row is %q", row)
	}
}

func TestNumbersAreAsPreciseAsTheyAreWorth(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0.00", 0.126: "0.13", 9.99: "9.99", 12.34: "12.3", 123.4: "123", 1234: "1,234", 165983.2: "165,983", 1234567: "1,234,567", -4321: "-4,321",
	} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %q, want %q", v, got, want)
		}
	}
}
