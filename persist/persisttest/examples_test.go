package persisttest_test

import (
	"os"
	"path/filepath"
	"testing"
)

var examples = []struct {
	name    string
	example func()
	prints  string
}{
	{"new", ExampleNew, "[{7}] 0\n"},
	{"work", ExampleWork, "1 no stamps false\n"},
	{"work_next", ExampleQueue_WorkNext, "the bank does not answer\ncompleted\n"},
	{"drain", ExampleQueue_Drain, "3 0 3\n"},
	{"drain_all", ExampleQueue_DrainAll, "map[7:true]\n"},
	{"resume", ExampleQueue_Resume, "<nil> map[7:true]\n"},
	{"restart", ExampleQueue_Restart, ""},
	{"crash", ExampleQueue_CrashAndReopen, ""},
	{"fail_commits", ExampleQueue_FailCommits, "submit: the store is full\n"},
	{"run_twice", ExampleRunTwice, "2\n"},
	{"crash_everywhere", ExampleCrashEverywhere, ""},
}

// The bodies of the examples, as the tests that they show, with what they print.
func TestTheExamples(real *testing.T) {
	for _, row := range examples {
		real.Run(row.name, func(inner *testing.T) {
			t = inner
			if got := printed(inner, row.example); got != row.prints {
				inner.Errorf("it prints %q, want %q", got, row.prints)
			}
		})
	}
}

// printed returns what f prints.
func printed(t *testing.T, f func()) string {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer func(was *os.File) { os.Stdout = was }(os.Stdout)
	os.Stdout = file
	f()
	file.Close()
	text, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
