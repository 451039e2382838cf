package tasks_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/taskvisor/taskvisor/actor/tasks"
)

// pipes is a network inside a bubble: its listener accepts what dial makes.
type pipes struct {
	conns chan net.Conn

	mu        sync.Mutex
	listeners []*pipeListener // guarded by mu: all that were opened
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn)} }

// listen opens a listener, as an HTTPTask's Listen.
func (p *pipes) listen(context.Context) (net.Listener, error) {
	l := &pipeListener{pipes: p, closed: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listeners = append(p.listeners, l)
	return l, nil
}

// opened returns how many listeners were opened, and the last of them.
func (p *pipes) opened() (n int, last *pipeListener) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.listeners), p.listeners[len(p.listeners)-1]
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// client returns a client whose connections are closed at the end of the test.
func (p *pipes) client(t *testing.T) *http.Client {
	transport := &http.Transport{DialContext: p.dial}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// task returns a task that serves h on the pipes.
func (p *pipes) task(h http.HandlerFunc) *tasks.HTTPTask {
	task := tasks.HTTP(&http.Server{Handler: h})
	task.Listen = p.listen
	return task
}

type pipeListener struct {
	pipes  *pipes
	once   sync.Once
	closed chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case <-l.closed:
		return nil, net.ErrClosed
	default:
	}
	select {
	case c := <-l.pipes.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "pipe"} }

// get returns the body of an answer.
func get(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	res, err := client.Get(url)
	if err != nil {
		t.Fatalf("get %s: %v", url, err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("read %s: %v", url, err)
	}
	return string(body)
}
