package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/taskvisor/taskvisor/supervisor"
)

func TestProbesSayWhatIsWrong(t *testing.T) {
	running := supervisor.Node{Path: "/app/a", State: supervisor.StateRunning, Ready: true}
	failing := supervisor.Node{Path: "/app/b", State: supervisor.StateBackingOff, Error: "no route"}
	tree := func(s supervisor.State, ready bool, waiting string, children ...supervisor.Node) supervisor.Node {
		return supervisor.Node{
			Path: "/app", State: s, Ready: ready, IsSupervisor: true,
			Waiting: waiting, Children: children,
		}
	}
	for _, test := range []struct {
		name        string
		app         supervisor.Node
		live, ready int
		body        []string // in the answer that is not 200
		silent      []string // and not in it
	}{
		{"all is well", tree(supervisor.StateRunning, true, "", running), 200, 200, nil, nil},
		{"a start waits for a child", tree(supervisor.StateStarting, false, "/app/b", running, failing), 200, 503,
			[]string{`"/app"`, `"starting"`, `"waiting": "/app/b"`, `"no route"`}, []string{`"/app/a"`}},
		{"a child backs off", tree(supervisor.StateRunning, false, "", running, failing), 200, 503,
			[]string{`"/app/b"`, `"backing_off"`, `"no route"`}, []string{`"/app/a"`, `"/app"`}},
		{"a stop goes on", tree(supervisor.StateStopping, false, "", running), 200, 503,
			[]string{`"/app"`, `"stopping"`}, []string{`"/app/a"`}},
		{"the app has ended", tree(supervisor.StateStopped, false, ""), 503, 503,
			[]string{`"/app"`, `"stopped"`}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, probe := range []struct {
				what string
				health
				want int
			}{{"liveness", liveness(test.app), test.live}, {"readiness", readiness(test.app), test.ready}} {
				w := httptest.NewRecorder()
				probe.write(w)
				body := w.Body.String()
				if w.Code != probe.want {
					t.Errorf("%s is %d, want %d:\n%s", probe.what, w.Code, probe.want, body)
				}
				if probe.want == http.StatusOK {
					continue
				}
				for _, text := range test.body {
					if !strings.Contains(body, text) {
						t.Errorf("%s does not say %s:\n%s", probe.what, text, body)
					}
				}
				for _, text := range test.silent {
					if strings.Contains(body, text) {
						t.Errorf("%s says %s:\n%s", probe.what, text, body)
					}
				}
			}
		})
	}
}
