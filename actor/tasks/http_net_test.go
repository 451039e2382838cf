package tasks_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/actor/tasks"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestAServerListensAtItsAddress(t *testing.T) {
	supervise(t, func(t *testing.T, app *supervisor.Supervisor) {
		type key struct{}
		at := make(chan net.Addr, 1)
		server := &http.Server{
			Addr: "127.0.0.1:0",
			// A BaseContext of one's own is kept.
			BaseContext: func(l net.Listener) context.Context {
				at <- l.Addr()
				return context.WithValue(context.Background(), key{}, "own")
			},
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = w.Write([]byte(r.Context().Value(key{}).(string)))
			}),
		}
		start(t, app, actor.Spec{Task: tasks.HTTP(server)})
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		if got := get(t, client, "http://"+(<-at).String()); got != "own" {
			t.Errorf("got %q", got)
		}
	})
}

func TestAnAddressInUseIsAFailure(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	supervise(t, func(t *testing.T, app *supervisor.Supervisor) {
		o := wait(t, start(t, app, actor.Spec{
			MaxRetries: policy.NoRetry, AwaitReady: true,
			Task: tasks.HTTP(&http.Server{Addr: l.Addr().String()}),
		}))
		if !errors.As(o.Err, new(*net.OpError)) {
			t.Errorf("got %+v", o)
		}
	})
}

func TestAServerWithCertificatesServesTLS(t *testing.T) {
	model := httptest.NewTLSServer(nil) // for its certificate, and a client that trusts it
	defer model.Close()
	client := model.Client()
	client.Transport.(*http.Transport).ForceAttemptHTTP2 = true

	supervise(t, func(t *testing.T, app *supervisor.Supervisor) {
		at := make(chan net.Addr, 1)
		server := &http.Server{
			TLSConfig: &tls.Config{Certificates: model.TLS.Certificates},
			Handler:   http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(r.Proto)) }),
		}
		task := tasks.HTTP(server)
		task.Listen = func(context.Context) (net.Listener, error) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err == nil {
				at <- l.Addr()
			}
			return l, err
		}
		start(t, app, actor.Spec{Task: task})
		for range 2 {
			if got := get(t, client, "https://"+(<-at).String()); got != "HTTP/2.0" {
				t.Errorf("got %q", got)
			}
			client.CloseIdleConnections()
			if _, err := app.Restart(t.Context(), "task"); err != nil {
				t.Error(err)
			}
		}
		<-at
		if server.TLSConfig.NextProtos != nil || server.TLSNextProto != nil {
			t.Error("the pattern was changed")
		}
	})
}

func TestAListenerIsClosedWhenTLSCannotBeSetUp(t *testing.T) {
	model := httptest.NewTLSServer(nil)
	defer model.Close()
	supervise(t, func(t *testing.T, app *supervisor.Supervisor) {
		p := newPipes()
		task := p.task(hello)
		task.Server.TLSConfig = &tls.Config{
			Certificates: model.TLS.Certificates,
			CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384}, // not what HTTP/2 requires
			MaxVersion:   tls.VersionTLS12,
		}
		if o := wait(t, start(t, app, actor.Spec{Task: task, MaxRetries: policy.NoRetry})); o.Err == nil {
			t.Fatalf("got %+v", o)
		}
		_, l := p.opened()
		<-l.closed
	})
}
