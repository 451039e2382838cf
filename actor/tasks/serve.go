package tasks

import (
	"context"
	"reflect"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
)

// Server is a service in the shape that suture gives them.
type Server interface {
	// Serve does its work until ctx ends or it fails.
	Serve(ctx context.Context) error
}

// Serve makes a task of s. What s returns is what the task returns: nil is a
// success, and unlike suture nothing runs again after that unless the spec says
// Restart: policy.Always. A service that also has a Validate method is asked
// when its spec is.
func Serve(s Server) actor.Task { return serving{s} }

type serving struct{ server Server }

// Run calls Serve.
func (s serving) Run(ctx context.Context) error { return s.server.Serve(ctx) }

// Validate refuses a server that is nil.
func (s serving) Validate() error {
	if isNil(s.server) {
		return refuse("Server", nil, "must not be nil")
	}
	if v, ok := s.server.(interface{ Validate() error }); ok {
		return v.Validate()
	}
	return nil
}

// isNil also finds the nil pointer inside an interface, as actor does for tasks.
func isNil(s Server) bool {
	if s == nil {
		return true
	}
	switch v := reflect.ValueOf(s); v.Kind() {
	case reflect.Func, reflect.Pointer, reflect.Map, reflect.Slice, reflect.Chan:
		return v.IsNil()
	}
	return false
}

func refuse(field string, value any, reason string) error {
	return &policy.FieldError{Field: field, Value: value, Reason: reason}
}
