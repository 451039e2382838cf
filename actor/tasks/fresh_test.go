package tasks

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"reflect"
	"testing"
	"time"
)

func TestAFreshServerHasAllThatThePatternSays(t *testing.T) {
	pattern := &http.Server{
		Addr: "addr", Handler: http.NewServeMux(), DisableGeneralOptionsHandler: true,
		TLSConfig:   &tls.Config{ServerName: "name"},
		ReadTimeout: 1, ReadHeaderTimeout: 2, WriteTimeout: 3, IdleTimeout: time.Second, MaxHeaderBytes: 5,
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){"x": nil},
		ConnState:    func(net.Conn, http.ConnState) {},
		ErrorLog:     log.New(io.Discard, "", 0),
		BaseContext:  func(net.Listener) context.Context { return nil },
		ConnContext:  func(ctx context.Context, _ net.Conn) context.Context { return ctx },
		HTTP2:        &http.HTTP2Config{},
		Protocols:    new(http.Protocols),
	}
	fresh := HTTP(pattern).fresh(t.Context())

	from, to := reflect.ValueOf(pattern).Elem(), reflect.ValueOf(fresh).Elem()
	for i := range from.NumField() {
		field := from.Type().Field(i)
		if !field.IsExported() {
			continue
		}
		if from.Field(i).IsZero() {
			t.Errorf("the test says nothing of the field %s", field.Name)
		}
		if to.Field(i).IsZero() {
			t.Errorf("%s is missing", field.Name)
		}
	}
	if fresh.Addr != "addr" || fresh.Handler != pattern.Handler || fresh.IdleTimeout != time.Second || fresh.ErrorLog != pattern.ErrorLog {
		t.Error("a value has changed")
	}
	if fresh.TLSConfig == pattern.TLSConfig || fresh.TLSConfig.ServerName != "name" {
		t.Error("the TLSConfig is not a copy")
	}
	fresh.TLSNextProto["h2"] = nil
	if len(pattern.TLSNextProto) != 1 {
		t.Error("the TLSNextProto is not a copy")
	}
}
