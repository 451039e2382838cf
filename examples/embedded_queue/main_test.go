package main

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestWhatWasPromisedIsDoneAlsoByTheNextProcess(t *testing.T) {
	db := filepath.Join(t.TempDir(), "orders.db")
	p := start(t, db, time.Hour)
	for _, row := range []struct{ item, answer string }{
		{"tea&wait=10s", "order 1: completed\n"},
		{"tea&wait=10s", "order 2: completed\n"},
		{"moon&wait=10s", "order 3: cancelled\n"},
		{"cake", "order 4 is taken, and will be packed\n"},
	} {
		if got := p.order(row.item); got != row.answer {
			t.Errorf("%s is answered %q, want %q", row.item, got, row.answer)
		}
	}
	p.end()
	if got, want := p.said(), []string{"packed: tea\n", "packed: tea\n"}; !slices.Equal(got, want) {
		t.Errorf("the first process says %q, want %q", got, want)
	}

	p = start(t, db, 0)
	if got := p.order("tea&wait=10s"); got != "order 5: completed\n" {
		t.Errorf("the next process answers %q", got)
	}
	p.await(2)
	p.end()
	if got, want := p.said(), []string{"packed: cake\n", "packed: tea\n"}; !slices.Equal(got, want) {
		t.Errorf("the next process says %q, want %q", got, want)
	}
}

func TestAShopThatCannotOpenItsQueueEnds(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	folder := t.TempDir() // is no file
	s := &shop{log: log.New(io.Discard, "", 0)}
	if err := s.serve(ctx, listener, folder); err == nil {
		t.Error("it ends as if all were well")
	}
}

// program is the example, running.
type program struct {
	t     *testing.T
	url   string
	says  lines
	stop  context.CancelFunc
	ended chan error
}

func start(t *testing.T, db string, bake time.Duration) *program {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	p := &program{t: t, url: "http://" + listener.Addr().String(), says: make(lines, 10), stop: stop, ended: make(chan error, 1)}
	t.Cleanup(stop)
	s := &shop{log: log.New(p.says, "", 0), bake: bake}
	go func() { p.ended <- s.serve(ctx, listener, db) }()
	return p
}

func (p *program) order(item string) string {
	p.t.Helper()
	res, err := http.Post(p.url+"/orders?item="+item, "", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusAccepted {
		p.t.Fatalf("%s: %d, %v", item, res.StatusCode, err)
	}
	return string(body)
}

// await returns when so many lines were said.
func (p *program) await(n int) {
	p.t.Helper()
	late := time.After(10 * time.Second)
	for len(p.says) < n {
		select {
		case <-time.After(time.Millisecond):
		case <-late:
			p.t.Fatalf("it has said %d lines, want %d", len(p.says), n)
		}
	}
}

// said returns what was said, sorted: jobs run side by side.
func (p *program) said() (all []string) {
	close(p.says)
	for line := range p.says {
		all = append(all, line)
	}
	slices.Sort(all)
	return all
}

func (p *program) end() {
	p.t.Helper()
	p.stop()
	if err := <-p.ended; err != nil {
		p.t.Errorf("it ends with %v", err)
	}
}

// lines is what was said.
type lines chan string

func (l lines) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}
