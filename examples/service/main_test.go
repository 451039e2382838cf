package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/supervisor"
)

// The program is tested as it is used: this binary, run again as the service.
const runAsService = "TASKVISOR_TEST_RUN_AS_SERVICE"

func TestMain(m *testing.M) {
	if os.Getenv(runAsService) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestTheServiceRunsAndStops(t *testing.T) {
	t.Parallel()
	s := start(t, "-every", "50ms")

	s.until("/readyz", http.StatusOK)
	s.until("/healthz", http.StatusOK)
	var sample sample
	s.fetch("/load", &sample)
	if sample.At.IsZero() || sample.MemoryPercent <= 0 {
		t.Errorf("the sample is empty: %+v", sample)
	}
	s.until("/rates", http.StatusOK, `"eur"`, `"usd"`)
	var quotes map[string]quote
	s.fetch("/rates", &quotes)
	for _, currency := range []string{"eur", "usd"} {
		if quotes[currency].Rate < 1 {
			t.Errorf("the rate of %s is missing: %v", currency, quotes)
		}
	}
	s.until("/metrics", http.StatusOK,
		`taskvisor_attempts_started_total{task="/app/http"} 1`,
		`taskvisor_attempts_ended_total{exit="failed",task="/app/rates/upstream"} `,
		`taskvisor_supervisor_up{supervisor="/app"} 1`,
		"go_goroutines ",
	)
	var tree supervisor.Node
	s.fetch("/tree", &tree)
	var paths []string
	for n := range tree.All() {
		paths = append(paths, n.Path)
	}
	want := "/app /app/http /app/load /app/rates /app/rates/upstream /app/rates/clients /app/rates/clients/eur /app/rates/clients/usd /app/welcome"
	if got := strings.Join(paths, " "); got != want {
		t.Errorf("the tree has\n%s, want\n%s", got, want)
	}

	// A client that got no answer is tried again. An upstream that crashed takes
	// the clients with it, and is back before they are.
	s.await(
		`failed +/app/rates/clients/(eur|usd) .*503`,
		`retrying +/app/rates/clients/`,
		`ready +/app/rates/clients/`,
	)
	s.await(
		`failed +/app/rates/upstream .*crashed`,
		`stopping +/app/rates/clients .*reason=group`,
		`ready +/app/rates/upstream .*attempt=2`,
		`ready +/app/rates/clients .*attempt=2`,
	)

	s.signal(os.Interrupt)
	if code := s.wait(); code != 0 {
		t.Errorf("exit code %d after one interrupt, want 0", code)
	}
	s.await(
		`closing +/app\b`,
		`finished +/app/rates/clients .*reason=shutdown`,
		`stopping +/app/rates/upstream`,
		`finished +/app/rates/upstream`,
		`finished +/app/rates .*reason=shutdown`,
		`down +/app\b`,
	)
}

func TestASecondInterruptShowsWhatHangs(t *testing.T) {
	t.Parallel()
	s := start(t, "-hang")

	s.signal(os.Interrupt)
	s.await(`stopping +/app/hang`)
	s.await(`finished +/app/load`)
	s.insist(os.Interrupt)
	if code := s.wait(); code != 130 {
		t.Errorf("exit code %d after two interrupts, want 130", code)
	}
	for _, text := range []string{"/app/hang: stopping", ".stubborn "} {
		if !strings.Contains(s.stderr.String(), text) {
			t.Errorf("stderr does not say %q", text)
		}
	}
	if strings.Contains(s.stderr.String(), "/app/load") {
		t.Error("stderr shows a task that does not hang")
	}
}

func TestALameDuckIsNotReadyButServes(t *testing.T) {
	t.Parallel()
	s := start(t, "-lameduck", "1m", "-quiet")

	s.until("/readyz", http.StatusOK)
	s.signal(os.Interrupt)
	body := s.until("/readyz", http.StatusServiceUnavailable, `"/app"`, `"stopping"`)
	if !json.Valid(body) {
		t.Errorf("the answer is no JSON:\n%s", body)
	}
	s.fetch("/rates", &map[string]quote{})
	s.until("/healthz", http.StatusOK)
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

	s := launch(t, "-addr", taken.Addr().String())
	if code := s.wait(); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	for _, text := range []string{"/app/http", "listen tcp " + taken.Addr().String()} {
		if !strings.Contains(s.stderr.String(), text) {
			t.Errorf("stderr does not say %q", text)
		}
	}
}

// A service is the program under test, running.
type service struct {
	t              *testing.T
	ctx            context.Context // ends when the test has taken too long
	cmd            *exec.Cmd
	exited         chan struct{}
	url            string
	stdout, stderr output
}

// launch runs the program, and kills it when the test is over.
func launch(t *testing.T, args ...string) *service {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	s := &service{t: t, ctx: ctx, exited: make(chan struct{})}
	s.cmd = exec.CommandContext(ctx, os.Args[0], args...)
	s.cmd.Env = append(os.Environ(), runAsService+"=1")
	s.cmd.Stdout, s.cmd.Stderr = &s.stdout, &s.stderr
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.exited)
		_ = s.cmd.Wait() // the exit code tells
	}()
	t.Cleanup(func() {
		cancel()
		<-s.exited
		if t.Failed() {
			t.Logf("stdout:\n%s\nstderr:\n%s", s.stdout.String(), s.stderr.String())
		}
	})
	return s
}

// start is launch on any free port, and returns when it is known.
func start(t *testing.T, args ...string) *service {
	t.Helper()
	s := launch(t, append(args, "-addr", "127.0.0.1:0")...)
	s.url = s.await(`listening on (http://\S+)`)[1]
	return s
}

// await returns when stdout has lines that fit the patterns, in this order, and
// returns what the last of them has matched.
func (s *service) await(patterns ...string) (match []string) {
	s.t.Helper()
	all := regexp.MustCompile(strings.Join(patterns, `.*\n(?s:.*?)`))
	for {
		text, more := s.stdout.read()
		if match = all.FindStringSubmatch(text); match != nil {
			return match
		}
		select {
		case <-more:
		case <-s.exited:
			if text, _ = s.stdout.read(); all.MatchString(text) {
				return all.FindStringSubmatch(text)
			}
			s.t.Fatalf("the program has ended without saying %q", patterns)
		case <-s.ctx.Done():
			s.t.Fatalf("the program does not say %q", patterns)
		}
	}
}

// until asks for a path until the answer has the status and the texts.
func (s *service) until(path string, status int, texts ...string) (body []byte) {
	s.t.Helper()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		got, body := s.get(path)
		fits := got == status
		for _, text := range texts {
			fits = fits && bytes.Contains(body, []byte(text))
		}
		if fits {
			return body
		}
		select {
		case <-again.C:
		case <-s.ctx.Done():
			s.t.Fatalf("GET %s is %d, want %d and %q; the last answer:\n%s", path, got, status, texts, body)
		}
	}
}

// fetch decodes the answer of a path.
func (s *service) fetch(path string, into any) {
	s.t.Helper()
	status, body := s.get(path)
	if status != http.StatusOK {
		s.t.Fatalf("GET %s is %d:\n%s", path, status, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		s.t.Fatalf("GET %s: %v in\n%s", path, err, body)
	}
}

func (s *service) get(path string) (status int, body []byte) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.ctx, http.MethodGet, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if body, err = io.ReadAll(res.Body); err != nil {
		s.t.Fatal(err)
	}
	return res.StatusCode, body
}

func (s *service) signal(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// insist signals again and again, until the process has ended: signals that come
// too close are taken for one.
func (s *service) insist(sig os.Signal) {
	tick := time.NewTicker(60 * time.Millisecond)
	defer tick.Stop()
	for {
		_ = s.cmd.Process.Signal(sig) // it may have ended
		select {
		case <-tick.C:
		case <-s.exited:
			return
		case <-s.ctx.Done():
			return
		}
	}
}

// wait returns the exit code.
func (s *service) wait() int {
	s.t.Helper()
	select {
	case <-s.exited:
		return s.cmd.ProcessState.ExitCode()
	case <-s.ctx.Done():
		s.t.Fatal("the program does not end")
		return -1
	}
}

// output is what a process has written so far. Its zero value is ready.
type output struct {
	mu   sync.Mutex
	text strings.Builder // guarded by mu
	more chan struct{}   // guarded by mu: closed by the next write
}

// Write keeps p, and tells those who wait for it.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.more != nil {
		close(o.more)
		o.more = nil
	}
	return o.text.Write(p)
}

// read returns the text, and a channel that is closed when there is more.
func (o *output) read() (text string, more <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.more == nil {
		o.more = make(chan struct{})
	}
	return o.text.String(), o.more
}

func (o *output) String() string {
	text, _ := o.read()
	return text
}
