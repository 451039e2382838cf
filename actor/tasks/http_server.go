package tasks

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"reflect"

	"github.com/taskvisor/taskvisor/actor"
)

// listen opens the listener of an attempt.
func (h *HTTPTask) listen(ctx context.Context) (net.Listener, error) {
	switch {
	case h.Listen != nil:
		listener, err := h.Listen(ctx)
		if err == nil && listener == nil {
			err = errors.New("tasks: Listen returned neither a listener nor an error")
		}
		return listener, err
	case h.Listener == nil:
		service := ":http"
		if servesTLS(h.Server) {
			service = ":https"
		}
		var config net.ListenConfig
		return config.Listen(ctx, "tcp", cmp.Or(h.Server.Addr, service))
	case h.used.Swap(true):
		return nil, actor.Fatal(ErrListenerUsed)
	}
	return h.Listener, nil
}

// fresh returns a server that can be used once, with the exported fields of the
// pattern and what an attempt adds to them. base is the context of requests.
func (h *HTTPTask) fresh(base context.Context) *http.Server {
	server := &http.Server{}
	from, to := reflect.ValueOf(h.Server).Elem(), reflect.ValueOf(server).Elem()
	for i := range from.NumField() {
		if from.Type().Field(i).IsExported() {
			to.Field(i).Set(from.Field(i))
		}
	}
	// A server writes into these two when it sets up HTTP/2.
	if server.TLSConfig != nil {
		server.TLSConfig = server.TLSConfig.Clone()
	}
	server.TLSNextProto = maps.Clone(server.TLSNextProto)

	if server.BaseContext == nil {
		server.BaseContext = func(net.Listener) context.Context { return base }
	}
	if server.ErrorLog == nil {
		server.ErrorLog = slog.NewLogLogger(actor.Logger(base).Handler(), slog.LevelWarn)
	}
	return server
}

// serve is the part of an attempt that accepts connections. It closes l.
func serve(s *http.Server, l net.Listener) error {
	defer func() { _ = l.Close() }() // once more: ServeTLS does not when it fails early
	if servesTLS(s) {
		return s.ServeTLS(l, "", "")
	}
	return s.Serve(l)
}

// servesTLS looks where ServeTLS does for certificates.
func servesTLS(s *http.Server) bool {
	c := s.TLSConfig
	return c != nil && (len(c.Certificates) > 0 || c.GetCertificate != nil || c.GetConfigForClient != nil)
}
