package health_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/supervisor"
	"github.com/taskvisor/taskvisor/supervisor/health"
)

// frozen is an app that does not change.
type frozen supervisor.Node

func (f frozen) Tree() supervisor.Node { return supervisor.Node(f) }

// app is a tree in which /app/db fails and /app/cache, which is optional, too.
func app(now time.Time) frozen {
	return frozen{
		Path: "/app", State: supervisor.StateRunning, Since: now.Add(-time.Hour), IsSupervisor: true,
		Children: []supervisor.Node{
			{
				Path: "/app/db", ID: 1, State: supervisor.StateBackingOff, Since: now.Add(-1500 * time.Millisecond),
				Attempt: 4, Restarts: 3, Failures: 3, Error: "no <route>", NextRetry: now.Add(time.Second), Declared: true,
			},
			{
				Path: "/app/cache", ID: 2, State: supervisor.StateStopping, Since: now, Reason: events.ReasonTimeout,
				Attempt: 1, Failures: 1, Declared: true, Optional: true,
			},
			{Path: "/app/http", ID: 3, State: supervisor.StateRunning, Since: now, Ready: true, Declared: true},
		},
	}
}

func checker(t *testing.T, app health.Source, cfg health.Config) *health.Checker {
	t.Helper()
	c, err := health.New(app, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// ask makes a request of a handler.
func ask(h http.Handler, method, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w
}

func TestTheBodyNamesWhatIsWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // at midnight UTC, 1 January 2000
		c := checker(t, app(time.Now().UTC()), health.Config{})
		w := ask(c.Ready(), "GET", "/readyz?verbose=1&x=%zz")
		if w.Code != http.StatusServiceUnavailable {
			t.Errorf("the answer is %d", w.Code)
		}
		const want = `{"status":"not_ready","path":"/app","state":"running","tasks":3,"problems":[` +
			`{"path":"/app/db","severity":"critical","state":"backing_off","since":"1999-12-31T23:59:58.5Z",` +
			`"down_since":"1999-12-31T23:59:58.5Z","error":"no \u003croute\u003e","attempt":4,"failures":3,"next_retry":"2000-01-01T00:00:01Z","for":1.5,"down":1.5},` +
			`{"path":"/app/cache","severity":"optional","state":"stopping","since":"2000-01-01T00:00:00Z",` +
			`"down_since":"2000-01-01T00:00:00Z","reason":"timeout","attempt":1,"failures":1,"for":0,"down":0}]}` + "\n"
		if got := w.Body.String(); got != want {
			t.Errorf("the body is\n%s, want\n%s", got, want)
		}
		for key, want := range map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store"} {
			if got := w.Header().Get(key); got != want {
				t.Errorf("%s is %q, want %q", key, got, want)
			}
		}

		var back health.Report
		if err := json.Unmarshal(w.Body.Bytes(), &back); err != nil {
			t.Fatal(err)
		}
		if report := c.Readiness(); !reflect.DeepEqual(back, report) {
			t.Errorf("it is read back as\n%+v, want\n%+v", back, report)
		}
	})
}

func TestAHealthyBodyIsSmall(t *testing.T) {
	c := checker(t, frozen{Path: "/app", State: supervisor.StateRunning, IsSupervisor: true, Ready: true}, health.Config{})
	for want, h := range map[string]http.Handler{
		`{"status":"ready","path":"/app","state":"running","tasks":0}` + "\n": c.Ready(),
		`{"status":"live","path":"/app","state":"running","tasks":0}` + "\n":  c.Live(),
	} {
		if w := ask(h, "GET", "/"); w.Code != http.StatusOK || w.Body.String() != want {
			t.Errorf("the answer is %d %s, want %s", w.Code, w.Body, want)
		}
	}
}

func TestDurationsInJSONAreSeconds(t *testing.T) {
	p := health.Problem{
		Path: "/a", Severity: health.Tolerated, State: supervisor.StateRunning,
		For: 250 * time.Millisecond, Down: 90 * time.Second, FallsIn: time.Minute, SettlesIn: 1234567 * time.Microsecond,
	}
	text, err := json.Marshal(p)
	const want = `{"path":"/a","severity":"tolerated","state":"running","for":0.25,"down":90,"falls_in":60,"settles_in":1.234567}`
	if err != nil || string(text) != want {
		t.Errorf("it is written as\n%s (%v), want\n%s", text, err, want)
	}
	var back health.Problem
	if err := json.Unmarshal(text, &back); err != nil || back != p {
		t.Errorf("it is read back as %+v (%v)", back, err)
	}
	if err := json.Unmarshal([]byte(`{"for":"soon"}`), &back); err == nil {
		t.Error("a text is read as seconds")
	}
}

func TestErrorsAreHiddenFromStrangersOnly(t *testing.T) {
	c := checker(t, app(time.Now()), health.Config{HideErrors: true})
	body := ask(c.Ready(), "GET", "/").Body.String()
	if strings.Contains(body, "route") || !strings.Contains(body, "/app/db") {
		t.Errorf("the body is %s", body)
	}
	if got := c.Readiness().Problems[0].Error; got != "no <route>" {
		t.Errorf("in code the error is %q", got)
	}
}

func TestAQueryAsksAboutAPart(t *testing.T) {
	c := checker(t, app(time.Now()), health.Config{})
	for _, row := range []struct {
		target string
		want   int
		path   string
	}{
		{"/?path=/app/http", 200, "/app/http"},
		{"/?path=http", 200, "/app/http"},
		{"/?path=%2Fapp%2Fdb&other=1", 503, "/app/db"},
		{"/?path=/app/cache", 503, "/app/cache"},
		{"/?path=", 503, "/app"},
		{"/?path=/app", 503, "/app"},
		{"/?path=/app/nobody", 404, ""},
		{"/?path=/app/db&path=/app/http", 503, "/app/db"},
	} {
		w := ask(c.Ready(), "GET", row.target)
		var report health.Report
		if err := json.Unmarshal(w.Body.Bytes(), &report); err != nil {
			t.Errorf("%s: %v", row.target, err)
		}
		if w.Code != row.want || report.Path != row.path {
			t.Errorf("%s is answered with %d about %q, want %d about %q", row.target, w.Code, report.Path, row.want, row.path)
		}
	}
	w := ask(c.Live(), "GET", "/?path=nobody")
	if want := `{"error":"no task has this path"}` + "\n"; w.Code != 404 || w.Body.String() != want {
		t.Errorf("what is not there is answered with %d %s", w.Code, w.Body)
	}
}

func TestOnlyGetAndHeadAreProbes(t *testing.T) {
	c := checker(t, app(time.Now()), health.Config{})
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS"} {
		w := ask(c.Ready(), method, "/")
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s is answered with %d, %v", method, w.Code, w.Header())
		}
	}
	w := ask(c.Ready(), "HEAD", "/")
	if w.Code != http.StatusServiceUnavailable || w.Body.Len() != 0 {
		t.Errorf("HEAD is answered with %d and %d bytes", w.Code, w.Body.Len())
	}
}

func TestTheNamesInTheJSONAreStable(t *testing.T) {
	names := func(v any) (names []string) {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]any
		if err := json.Unmarshal(text, &fields); err != nil {
			t.Fatal(err)
		}
		for name := range fields {
			names = append(names, name)
		}
		slices.Sort(names)
		return names
	}
	full := health.Problem{
		Path: "/a", Severity: health.Critical, State: supervisor.StateStuck, Since: time.Now(), For: 1, Reason: events.ReasonTimeout,
		DownSince: time.Now(), Down: 1, Waiting: "/b", Error: "no", Attempt: 1, Failures: 1, NextRetry: time.Now(),
		FallsIn: 1, FallsAtOnce: true, SettlesIn: 1,
	}
	if got, want := names(full), []string{
		"attempt", "down", "down_since", "error", "failures", "falls_at_once", "falls_in", "for", "next_retry", "path", "reason", "settles_in", "severity", "since", "state", "waiting",
	}; !slices.Equal(got, want) {
		t.Errorf("a problem has %v, want %v", got, want)
	}
	report := health.Report{
		Status: health.StatusReady, Path: "/a", State: supervisor.StateRunning, Tasks: 1, Overdue: 1,
		Problems: []health.Problem{full}, More: 1, Due: time.Now(),
	}
	if got, want := names(report), []string{"more", "overdue", "path", "problems", "state", "status", "tasks"}; !slices.Equal(got, want) {
		t.Errorf("a report has %v, want %v", got, want)
	}
}
