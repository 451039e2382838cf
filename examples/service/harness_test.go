package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
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

// A service is the program under test, running.
type service struct {
	t              *testing.T
	ctx            context.Context // ends when the test has taken too long
	cmd            *exec.Cmd
	exited         chan struct{}
	url            string
	stdout, stderr output
}

// launch runs the program, and kills it when the test is over. Without a folder it makes
// one below that of the test.
func launch(t *testing.T, args ...string) *service {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	s := &service{t: t, ctx: ctx, exited: make(chan struct{})}
	s.cmd = exec.CommandContext(ctx, os.Args[0], args...)
	s.cmd.Env = append(os.Environ(), runAsService+"=1", "TMPDIR="+t.TempDir())
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
	status, body, err := s.ask(http.MethodGet, path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return status, body
}

// post decodes the answer to a POST, which has to have the status.
func (s *service) post(status int, path string, content []byte, into any) {
	s.t.Helper()
	got, body, err := s.ask(http.MethodPost, path, content)
	if err != nil {
		s.t.Fatal(err)
	}
	if got != status {
		s.t.Fatalf("POST %s is %d, want %d:\n%s", path, got, status, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		s.t.Fatalf("POST %s: %v in\n%s", path, err, body)
	}
}

// ask returns an error if there is no answer.
func (s *service) ask(method, path string, content []byte) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(s.ctx, method, s.url+path, bytes.NewReader(content))
	if err != nil {
		return 0, nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err = io.ReadAll(res.Body)
	return res.StatusCode, body, err
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
