package actor

import (
	"context"
	"fmt"
	"reflect"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
)

// profile is what Go writes, shortened: the header sits on the first block, labels
// are quoted and sorted, columns are aligned with tabs, and a frame without a
// function has only its address.
const profile = `goroutine profile: total 9
4 @ 0x47bc0e 0x41189d 0x41148a 0x5b7a25 0x484081
# labels: {"task":"/app/db#1.2"}
#	0x5b7a24	main.(*pool).work[...]+0x24	/src/app/pool.go:17
#	0x5b7b31	main.run.func1+0x11		/src/app/main.go:40

3 @ 0x47bc0e 0x41189d
#	0x5b7a24	main.idle+0x24	/src/app/idle.go:3

1 @ 0x1 0x2
# labels: {"a":"1", "http":"GET", "task":"/app/odd \"#name\", \\ \u2028#7.41.2", "zone":"eu"}
#	0x5b7a25
#	0x5b7a24	main.main+0x24	/src/my app/main.go:9

1 @ 0x3
# labels: {"tasks":"/app/no#1.9"}
#	0x5b7a24	main.other+0x24	/src/app/main.go:9

`

func TestAProfileIsReadTaskByTask(t *testing.T) {
	want := []Goroutine{
		{
			Path: "/app/db", Label: "/app/db#1.2", Count: 4,
			Stack: "main.(*pool).work[...] /src/app/pool.go:17\nmain.run.func1 /src/app/main.go:40\n",
		},
		{
			Path: "/app/odd \"#name\", \\ \u2028", Label: "/app/odd \"#name\", \\ \u2028#7.41.2", Count: 1,
			Stack: "main.main /src/my app/main.go:9\n",
		},
	}
	got := parseProfile(profile)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if got[0].Tree() != 1 || got[1].Tree() != 7 {
		t.Errorf("trees %d and %d, want 1 and 7", got[0].Tree(), got[1].Tree())
	}
}

func TestWhatIsNoProfileHasNoTasks(t *testing.T) {
	const frame = "#\t0x1\tmain.main+0x1\t/main.go:1\n"
	for says, text := range map[string]string{
		"nothing":                        "",
		"a header alone":                 "goroutine profile: total 0\n",
		"no count":                       "x @ 0x1\n# labels: {\"task\":\"/a#1.1\"}\n" + frame,
		"a count of none":                "0 @ 0x1\n# labels: {\"task\":\"/a#1.1\"}\n" + frame,
		"an open quote":                  "1 @ 0x1\n# labels: {\"task\":\"/a#1.1\n" + frame,
		"a value without quotes":         "1 @ 0x1\n# labels: {\"task\":/a#1.1}\n" + frame,
		"a key without a value":          "1 @ 0x1\n# labels: {\"task\"}\n" + frame,
		"empty labels":                   "1 @ 0x1\n# labels: {}\n" + frame,
		"a label of somebody else's":     "1 @ 0x1\n# labels: {\"task\":\"import\"}\n" + frame,
		"labels where a frame should be": "1 @ 0x1\n" + frame + "# labels: {\"task\":\"/a#1.1\"}\n",
	} {
		if got := parseProfile(text); len(got) != 0 {
			t.Errorf("%s: got %+v", says, got)
		}
	}
}

func TestALabelIsFoundAmongOthers(t *testing.T) {
	for _, others := range [][]string{nil, {"a", "1"}, {"z", "1"}, {"a", "1", "z", `"}, "task":"x`}} {
		labels := append([]string{Label, "/app/a, b:{\"c\"}#1.2"}, others...)
		line := labelLine(labels...)
		if got, ok := labelIn(line); !ok || got != labels[1] {
			t.Errorf("%s: got %q, %v", line, got, ok)
		}
	}
}

// labelLine writes labels as package pprof does.
func labelLine(pairs ...string) string {
	var quoted []string
	for pair := range slices.Chunk(pairs, 2) {
		quoted = append(quoted, fmt.Sprintf("%q:%q", pair[0], pair[1]))
	}
	slices.Sort(quoted)
	return "# labels: {" + strings.Join(quoted, ", ") + "}"
}

// The format is not promised by Go, so this looks at what it writes today.
func TestTheProfileOfThisProcessIsRead(t *testing.T) {
	const label = "/app/\"odd\" \\ name, ü\u2028#3.5"
	labels := pprof.Labels(Label, label, "before", "b", "zone", "z")
	here, gone := make(chan struct{}), make(chan struct{})
	for range 3 {
		go pprof.Do(context.Background(), labels, func(context.Context) { linger(here, gone) })
		<-here
	}
	defer close(gone)
	count := 0
	for _, g := range Goroutines() {
		if g.Label == label && g.Calls("github.com/taskvisor/taskvisor/actor.linger") {
			count += g.Count
			if g.Tree() != 3 || g.Path != "/app/\"odd\" \\ name, ü\u2028" {
				t.Errorf("tree %d, path %q", g.Tree(), g.Path)
			}
			if !strings.Contains(g.Stack, "profile_test.go:") {
				t.Errorf("the stack has no file:\n%s", g.Stack)
			}
		}
	}
	if count != 3 {
		t.Errorf("found %d goroutines of three", count)
	}
}

//go:noinline
func linger(here chan<- struct{}, gone <-chan struct{}) {
	here <- struct{}{}
	<-gone
}

func TestCallsAsksForBeginningsOfFunctions(t *testing.T) {
	g := Goroutine{Stack: "net/http.(*persistConn).readLoop /go/http.go:7\nmain.main /src/net/http.go:9\n"}
	for _, c := range []struct {
		prefixes []string
		want     bool
	}{
		{nil, false},
		{[]string{""}, false},
		{[]string{"main.main"}, true},
		{[]string{"os.", "net/http.(*persistConn)"}, true},
		{[]string{"/src"}, false},
		{[]string{"persistConn"}, false},
	} {
		if got := g.Calls(c.prefixes...); got != c.want {
			t.Errorf("%q: got %v", c.prefixes, got)
		}
	}
}

func FuzzLabelIn(f *testing.F) {
	f.Add("/app/db#1.2", "a", "b")
	f.Add("\"}", "tas", "\xff")
	f.Add("", "", ", \"task\":\"x\"")
	f.Fuzz(func(t *testing.T, label, key, value string) {
		pairs := []string{Label, label}
		if key != Label {
			pairs = append(pairs, key, value)
		}
		line := labelLine(pairs...)
		if got, ok := labelIn(line); !ok || got != label {
			t.Errorf("%s: got %q, %v, want %q", line, got, ok, label)
		}
		if got, ok := labelIn(labelLine(key, value)); ok != (key == Label) || ok && got != value {
			t.Errorf("alone: got %q, %v", got, ok)
		}
		labelIn(label) // whatever it is, it is read
	})
}

func FuzzParseProfile(f *testing.F) {
	f.Add(profile)
	f.Add("1 @ 0x1\n# labels: {\"task\":\"/a#1.1\"}\n#\t0x1\tmain.main+0x1\t/main.go:1\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, g := range parseProfile(text) {
			if g.Count < 1 || !strings.HasPrefix(g.Label, g.Path+"#") {
				t.Errorf("got %+v", g)
			}
			g.Tree()
		}
	})
}
