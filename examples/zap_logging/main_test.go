package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
)

var (
	line    = regexp.MustCompile(`(?m)^\S+\t(\w+)\ttree\t([\w ]+)\t.*"path": "([^"]+)".*$`)
	numbers = regexp.MustCompile(`"(failures|repeats)": (\d+)`)
)

func TestTheLogHasTheNewsOfEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		if err := run(t.Context(), &out); err != nil {
			t.Error(err)
		}
		stories := map[string]string{}
		for _, found := range line.FindAllStringSubmatch(out.String(), -1) {
			story := found[1] + " " + found[2]
			for _, n := range numbers.FindAllStringSubmatch(found[0], -1) {
				story += fmt.Sprintf(" %s=%s", n[1], n[2])
			}
			stories[found[3]] += story + "\n"
		}
		for path, want := range map[string]string{
			"/app":          "INFO supervisor started\nINFO supervisor stopping\nINFO supervisor stopped\n",
			"/app/database": "WARN attempt failed\nERROR attempt keeps failing failures=5 repeats=3\nINFO task recovered failures=11 repeats=6\n",
			"/app/worker":   "WARN attempt failed\nINFO task recovered failures=2 repeats=1\n",
		} {
			if stories[path] != want {
				t.Errorf("of %s there is\n%swant\n%s", path, stories[path], want)
			}
		}
		if n := strings.Count(out.String(), "zap_logging.worker("); n != 1 {
			t.Errorf("the stack is there %d times:\n%s", n, &out)
		}
	})
}
