package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/taskvisor/taskvisor/supervisor"
)

// A newcomer starts it without any arguments.
func TestTheServiceShowsItsSamplesAndStops(t *testing.T) {
	t.Parallel()
	s := start(t, "-pace", "20ms", "-every", "50ms")
	files := s.await(`the files are in (\S+),`)[1]

	s.until("/readyz", http.StatusOK)
	s.until("/healthz", http.StatusOK)
	var tree supervisor.Node
	s.fetch("/tree", &tree)
	var paths []string
	for n := range tree.All() {
		if !strings.HasPrefix(n.Path, "/app/queue/workers/") {
			paths = append(paths, n.Path)
		}
	}
	want := "/app /app/queue /app/queue/ledger /app/queue/workers /app/queue/clock /app/sweep /app/http /app/watcher /app/welcome"
	if got := strings.Join(paths, " "); got != want {
		t.Errorf("the tree has\n%s, want\n%s", got, want)
	}

	// There is something to see: jobs, how far they have come, and a retry, which
	// does only what is left to do.
	s.await(`submitted +/app/queue .*key="hello.txt@`, `batch +/app/queue +type=pack jobs=\d`)
	s.await(`progress .*key="noise.bin@.*done=50% message="1048576 of 2097152 bytes"`)
	job := s.await(`will retry +/app/queue +job=(\d+) .*error="announce .*: 503`)[1]
	s.await(
		`will retry +/app/queue +job=`+job,
		`claimed +/app/queue/workers/`+job+` .*attempt=2`,
		`job done +/app/queue +job=`+job,
	)
	s.until("/jobs", http.StatusOK, `"ended": 4`)
	s.until("/metrics", http.StatusOK,
		`taskvisor_attempts_started_total{task="/app/http"} 1`,
		`taskvisor_queue_ended_total{kind="completed",queue="queue"} 4`,
		`taskvisor_queue_jobs{queue="queue",state="running",type="pack"} 0`,
		`taskvisor_supervisor_up{supervisor="/app"} 1`,
		`taskvisor_subscriber_events_lost_total{subscriber="console"} 0`,
		"go_goroutines ",
	)
	for _, name := range []string{"hello.txt", "numbers.csv", "song.txt", "noise.bin"} {
		checkResults(t, files, name, nil)
	}

	s.signal(os.Interrupt)
	if code := s.wait(); code != 0 {
		t.Errorf("exit code %d after one interrupt, want 0", code)
	}
	s.await(
		`closing +/app\b`,
		`finished +/app/watcher .*reason=shutdown`,
		`finished +/app/http .*reason=shutdown`,
		`stopping +/app/queue `,
		`finished +/app/queue/workers .*reason=shutdown`,
		`finished +/app/queue/ledger .*reason=shutdown`,
		`down +/app\b`,
	)
}

func TestASecondInterruptShowsWhatHangs(t *testing.T) {
	t.Parallel()
	s := start(t, "-hang")

	s.signal(os.Interrupt)
	s.await(`finished +/app/queue `, `stopping +/app/hang`)
	s.insist(os.Interrupt)
	if code := s.wait(); code != 130 {
		t.Errorf("exit code %d after two interrupts, want 130", code)
	}
	for _, text := range []string{"/app/hang: stopping", ".stubborn "} {
		if !strings.Contains(s.stderr.String(), text) {
			t.Errorf("stderr does not say %q", text)
		}
	}
	if strings.Contains(s.stderr.String(), "/app/queue") {
		t.Error("stderr shows a task that does not hang")
	}
}

func TestALameDuckIsNotReadyButServes(t *testing.T) {
	t.Parallel()
	s := start(t, "-dir", t.TempDir(), "-every", "20ms", "-lameduck", "1m", "-quiet")

	s.until("/readyz", http.StatusOK)
	s.signal(os.Interrupt)
	body := s.until("/readyz", http.StatusServiceUnavailable, `"/app"`, `"stopping"`)
	if !json.Valid(body) {
		t.Errorf("the answer is no JSON:\n%s", body)
	}
	s.until("/healthz", http.StatusOK)
	s.post(http.StatusAccepted, "/files/late", []byte("late"), &posted{})
	s.until("/jobs", http.StatusOK, `"ended": 1`)
	if out := s.stdout.String(); strings.Contains(out, "/app/") {
		t.Error("a quiet service prints events")
	}
}

func TestATakenPortEndsTheProgram(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()

	s := launch(t, "-dir", t.TempDir(), "-addr", taken.Addr().String())
	if code := s.wait(); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	for _, text := range []string{"/app/http", "listen tcp " + taken.Addr().String()} {
		if !strings.Contains(s.stderr.String(), text) {
			t.Errorf("stderr does not say %q", text)
		}
	}
}

func TestTwoServicesDoNotShareTheirJobs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := start(t, "-dir", dir)
	second := launch(t, "-dir", dir, "-addr", "127.0.0.1:0")
	if code := second.wait(); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	second.await(fmt.Sprintf("(failed|fatal) +/app/queue/ledger .*jobs.db is in use by pid %d", first.cmd.Process.Pid))
	if text := "start of /app/queue"; !strings.Contains(second.stderr.String(), text) {
		t.Errorf("stderr does not say %q", text)
	}
	first.until("/readyz", http.StatusOK)
}

func TestTheWatcherComesBackWithItsFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, "-dir", dir, "-every", "20ms")

	files := filepath.Join(dir, "files")
	if err := os.Remove(files); err != nil {
		t.Fatal(err)
	}
	s.await(`failed +/app/watcher .*no such file`, `regrouping +/app `)
	if err := os.Mkdir(files, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(files, "back"), []byte("again"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.await(`ready +/app/watcher`, `job done +/app/queue`)
	checkResults(t, files, "back", []byte("again"))
}

// posted is the answer to a file.
type posted struct {
	Job    uint64 `json:"job"`
	Result string `json:"result"`
	File   file   `json:"file"`
}

// The jobs here last until somebody ends them.
func TestJobsAreSeenExplainedCancelledAndRevived(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, "-dir", dir, "-pace", "1h", "-every", "20ms", "-workers", "2", "-quiet")

	first, second := bytes.Repeat([]byte("first"), 10_000), bytes.Repeat([]byte("second"), 10_000)

	// The same file is one job, however often it is posted, and whoever finds it.
	var one, same, next, other posted
	s.post(http.StatusAccepted, "/files/a.txt", first, &one)
	s.post(http.StatusAccepted, "/files/a.txt", first, &same)
	if one.Result != "inserted" || same.Result != "rejected" || same.Job != one.Job || same.File != one.File {
		t.Errorf("the same twice is answered %+v and %+v", one, same)
	}
	// Another version of it waits for the first, another file does not.
	s.post(http.StatusAccepted, "/files/a.txt", second, &next)
	s.post(http.StatusAccepted, "/files/b.txt", first, &other)
	why := func(id uint64) string { return fmt.Sprintf("/jobs/%d/why", id) }
	s.until(why(one.Job), http.StatusOK, `"why": "it runs since `, `"phase": "running"`)
	s.until(why(next.Job), http.StatusOK, `group \"a.txt\" runs 1 of at most 1 jobs`, `"reason": "group"`)
	s.until("/jobs", http.StatusOK, `"running": 2`, `"ready": 1`, `"key": "b.txt@`)

	// What is cancelled has ended when that is answered, and can be revived.
	var j job
	s.post(http.StatusOK, fmt.Sprintf("/jobs/%d/cancel", other.Job), nil, &j)
	if j.Ended.String() != "cancelled" || j.Attempts != 1 {
		t.Errorf("what was cancelled is %+v", j)
	}
	s.fetch(fmt.Sprintf("/jobs/%d", other.Job), &j)
	s.until("/jobs?kind=cancelled", http.StatusOK, `"key": "b.txt@`)
	s.post(http.StatusOK, fmt.Sprintf("/jobs/%d/revive", other.Job), nil, &struct{}{})
	s.until(why(other.Job), http.StatusOK, `"phase": "running"`)
	// The version that is not there any more has nothing to do; the next one has.
	s.post(http.StatusOK, fmt.Sprintf("/jobs/%d/cancel", one.Job), nil, &j)
	s.until(why(next.Job), http.StatusOK, `"phase": "running"`)

	for path, status := range map[string]int{
		"/files/.hidden":                         http.StatusBadRequest,
		"/files/a.txt.gz":                        http.StatusBadRequest,
		"/files/up%2Fdown":                       http.StatusBadRequest,
		"/files/" + strings.Repeat("x", 201):     http.StatusBadRequest,
		"/jobs/99/cancel":                        http.StatusNotFound,
		"/jobs/first/cancel":                     http.StatusNotFound,
		fmt.Sprintf("/jobs/%d/cancel", one.Job):  http.StatusConflict,
		fmt.Sprintf("/jobs/%d/revive", next.Job): http.StatusConflict,
	} {
		var refusal struct{ Error string }
		if s.post(status, path, nil, &refusal); refusal.Error == "" {
			t.Errorf("POST %s is refused without a reason", path)
		}
	}

	// What runs is put back by the stop, and goes on when it is started again.
	s.signal(os.Interrupt)
	if code := s.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	s = start(t, "-dir", dir, "-pace", "0", "-every", "20ms")
	s.await(`store up +/app/queue .*jobs=2`)
	s.until("/jobs", http.StatusOK, `"ended": 3`)
	checkResults(t, filepath.Join(dir, "files"), "a.txt", second)
	checkResults(t, filepath.Join(dir, "files"), "b.txt", first)
}

func TestTheEventsAreStreamedAsText(t *testing.T) {
	t.Parallel()
	s := start(t, "-dir", t.TempDir(), "-pace", "0", "-every", "20ms", "-quiet")
	res, err := http.Get(s.url + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	s.post(http.StatusAccepted, "/files/a.txt", bytes.Repeat([]byte("a"), 100_000), &posted{})

	lines := bufio.NewScanner(res.Body)
	for _, want := range []string{`submitted +/app/queue .*key="a.txt@`, `progress .*done=66%`, `job done`} {
		for re := regexp.MustCompile(want); !re.Match(lines.Bytes()); {
			if !lines.Scan() {
				t.Fatalf("the stream ends before it says %q", want)
			}
		}
	}
	// A stop does not wait for those who look on: their stream ends.
	s.signal(os.Interrupt)
	for lines.Scan() {
	}
	if last := lines.Text(); lines.Err() != nil {
		t.Errorf("the stream is cut off after %q: %v", last, lines.Err())
	}
	if code := s.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
