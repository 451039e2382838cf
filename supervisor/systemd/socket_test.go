package systemd_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/recorder"
	"github.com/taskvisor/taskvisor/supervisor"
	"github.com/taskvisor/taskvisor/supervisor/health"
	"github.com/taskvisor/taskvisor/supervisor/systemd"
)

// TestMain hides a service manager that runs the tests.
func TestMain(m *testing.M) {
	for _, key := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} {
		_ = os.Unsetenv(key)
	}
	os.Exit(m.Run())
}

// manager is the other end: the socket of a service manager.
type manager struct {
	*net.UnixConn
	t *testing.T
}

// address is that of a socket with a path short enough for one.
func address(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "n")
}

// manage listens there, and says so in the environment. The watchdog is off.
func manage(t *testing.T, address string) *manager {
	t.Helper()
	environment(t, address, "")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &manager{conn, t}
}

func environment(t *testing.T, socket, watchdog string) {
	t.Helper()
	t.Setenv("NOTIFY_SOCKET", socket)
	t.Setenv("WATCHDOG_USEC", watchdog)
	t.Setenv("WATCHDOG_PID", fmt.Sprint(os.Getpid()))
}

// next returns the next datagram, or nothing when none comes for so long.
func (m *manager) next(within time.Duration) string {
	m.t.Helper()
	if err := m.SetReadDeadline(time.Now().Add(within)); err != nil {
		m.t.Fatal(err)
	}
	text := make([]byte, 4096)
	n, err := m.Read(text)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		m.t.Fatal(err)
	}
	return string(text[:n])
}

// expect reads datagrams until one contains the text.
func (m *manager) expect(text string) {
	m.t.Helper()
	var all []string
	for range 1000 {
		got := m.next(10 * time.Second)
		if strings.Contains(got, text) {
			return
		}
		if got == "" {
			break
		}
		all = append(all, got)
	}
	m.t.Fatalf("never told %q, but %q", text, all)
}

// must fails the test unless the next datagram is that.
func (m *manager) must(want string) {
	m.t.Helper()
	if got := m.next(10 * time.Second); got != want {
		m.t.Fatalf("told %q, want %q", got, want)
	}
}

// start runs an app for the length of the test; stop ends it.
func start(t *testing.T, cfg supervisor.Config) (app *supervisor.Supervisor, stop func()) {
	t.Helper()
	cfg.Name = "app"
	app = supervisor.New(cfg)
	return app, run(t, app)
}

func run(t *testing.T, app *supervisor.Supervisor) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return stop
}

func serve(ctx context.Context) error { <-ctx.Done(); return nil }

func TestASocketIsToldReadyThenStatusThenStopping(t *testing.T) {
	m := manage(t, address(t))
	var notify systemd.Notifier
	up, broken := make(chan struct{}), make(chan struct{})
	app := supervisor.New(supervisor.Config{
		Name: "app",
		Children: []actor.Spec{notify.Spec(""), {
			Name: "db", AwaitReady: true, Restart: policy.Never,
			Task: actor.Func(func(ctx context.Context) error {
				<-up
				actor.Ready(ctx)
				<-broken
				return errors.New("disk full")
			}),
		}, {Name: "http", Task: actor.Func(serve)}},
		Subscribers: []events.Subscriber{notify.Subscriber()},
	})
	probes, err := health.New(app, health.Config{Tolerate: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	notify.Checker = probes
	stop := run(t, app)
	m.must("STATUS=starting: /app/db starting")
	close(up)
	m.must("READY=1\nSTATUS=ready: 3 tasks")
	close(broken)
	m.must("STATUS=ready, but degraded: /app/db failed: disk full")
	m.must("STATUS=not ready: /app/db failed: disk full")
	stop()
	m.must("STOPPING=1\nSTATUS=stopping")
	if more := m.next(10 * time.Millisecond); more != "" {
		t.Errorf("after the end it said %q", more)
	}
}

func TestTheLastChildTellsOfTheStopToo(t *testing.T) {
	for _, strategy := range []supervisor.Strategy{supervisor.OneForOne, supervisor.RestForOne} {
		m := manage(t, address(t))
		var notify systemd.Notifier
		_, stop := start(t, supervisor.Config{
			Strategy:    strategy,
			Children:    []actor.Spec{{Name: "http", Task: actor.Func(serve)}, notify.Spec("notify")},
			Subscribers: []events.Subscriber{notify.Subscriber()},
		})
		m.must("READY=1\nSTATUS=ready: 2 tasks")
		stop()
		m.expect("STOPPING=1")
	}
}

func TestAStuckTaskStopsThePingsOfASocket(t *testing.T) {
	m := manage(t, address(t))
	t.Setenv("WATCHDOG_USEC", "40000") // a ping each 20 ms
	var notify systemd.Notifier
	var seen recorder.Recorder
	hang, release := make(chan struct{}), make(chan struct{})
	app := supervisor.New(supervisor.Config{
		Name: "app",
		Children: []actor.Spec{notify.Spec(""), {
			Name: "deaf", Grace: time.Millisecond, Backoff: policy.Constant(time.Millisecond),
			Task: actor.Func(func(ctx context.Context) error {
				select {
				case <-hang:
				case <-ctx.Done():
					return nil
				}
				_ = actor.Go(ctx, func(context.Context) error { return errors.New("broken") })
				<-release // whatever ctx says
				return nil
			}),
		}},
		Subscribers: []events.Subscriber{notify.Subscriber(), seen.Subscriber()},
	})
	probes, err := health.New(app, health.Config{StuckAfter: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	notify.Checker = probes
	stop := run(t, app)
	for range 3 {
		m.expect("WATCHDOG=1")
	}

	close(hang)
	if _, err := seen.WaitKind(t.Context(), events.TaskStuck, "/app/deaf"); err != nil {
		t.Fatal(err)
	}
	silent := false
	for range 100 { // there may still be some that were sent before
		if silent = m.next(200*time.Millisecond) == ""; silent {
			break
		}
	}
	if !silent {
		t.Error("it goes on pinging")
	}
	if live := probes.Liveness(); live.Status != health.StatusNotLive {
		t.Errorf("it is %v", live.Status)
	}

	close(release)
	m.expect("WATCHDOG=1")
	stop()
	m.expect("STOPPING=1")
}

func TestAnAbstractSocketIsASocket(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has them")
	}
	m := manage(t, fmt.Sprintf("@taskvisor-test-%d", os.Getpid()))
	var notify systemd.Notifier
	start(t, supervisor.Config{
		Children:    []actor.Spec{notify.Spec("")},
		Subscribers: []events.Subscriber{notify.Subscriber()},
	})
	m.must("READY=1\nSTATUS=ready: 1 task")
}

func TestTheWatchdogOfAnotherProcessIsNotFed(t *testing.T) {
	m := manage(t, address(t))
	t.Setenv("WATCHDOG_USEC", "2000")
	t.Setenv("WATCHDOG_PID", "1")
	var notify systemd.Notifier
	_, stop := start(t, supervisor.Config{
		Children:    []actor.Spec{notify.Spec("")},
		Subscribers: []events.Subscriber{notify.Subscriber()},
	})
	m.must("READY=1\nSTATUS=ready: 1 task")
	if got := m.next(20 * time.Millisecond); got != "" {
		t.Errorf("it said %q", got)
	}
	stop()
}

func TestASocketThatCannotBeWrittenIsTriedAgain(t *testing.T) {
	at := address(t)
	environment(t, at, "")
	var notify systemd.Notifier
	var seen recorder.Recorder
	spec := notify.Spec("")
	spec.Backoff = policy.Constant(time.Millisecond)
	app, _ := start(t, supervisor.Config{
		Children:    []actor.Spec{spec},
		Subscribers: []events.Subscriber{notify.Subscriber(), seen.Subscriber()},
	})
	if _, err := seen.WaitKind(t.Context(), events.RetryScheduled, "/app/systemd"); err != nil {
		t.Fatal(err)
	}
	if !app.Tree().Ready {
		t.Error("the app is not ready without its notifier")
	}
	manage(t, at).expect("READY=1")
}

func TestWithoutASocketTheTaskIsCompleteAtOnce(t *testing.T) {
	environment(t, "", "1000")
	var notify systemd.Notifier
	var seen recorder.Recorder
	spec := notify.Spec("")
	spec.Restart = policy.Always
	app, _ := start(t, supervisor.Config{
		Children:    []actor.Spec{spec},
		Subscribers: []events.Subscriber{notify.Subscriber(), seen.Subscriber()},
	})
	e, err := seen.WaitKind(t.Context(), events.TaskFinished, "/app/systemd")
	if err != nil || e.Outcome != events.Completed || e.Attempt != 1 {
		t.Errorf("it ended as %v (%v)", e, err)
	}
	if !app.Tree().Ready {
		t.Error("the app is not ready without it")
	}
}

func TestWhatNoRetryCanMendIsNotRetried(t *testing.T) {
	t.Run("a watchdog time that is no number", func(t *testing.T) {
		environment(t, address(t), "soon")
		if err := finish(t, false); err == nil || !strings.Contains(err.Error(), "WATCHDOG_USEC") {
			t.Errorf("it failed with %v", err)
		}
	})
	t.Run("a notifier that is not a child of the root", func(t *testing.T) {
		environment(t, address(t), "")
		if err := finish(t, true); !errors.Is(err, systemd.ErrNotRoot) {
			t.Errorf("it failed with %v", err)
		}
	})
}

// finish runs a notifier that gives up, and returns why.
func finish(t *testing.T, below bool) error {
	t.Helper()
	var notify systemd.Notifier
	var seen recorder.Recorder
	children, path := []actor.Spec{notify.Spec("")}, "/app/systemd"
	if below {
		children, path = []actor.Spec{supervisor.New(supervisor.Config{Children: children}).Spec("below")}, "/app/below/systemd"
	}
	start(t, supervisor.Config{Children: children, Subscribers: []events.Subscriber{notify.Subscriber(), seen.Subscriber()}})
	e, err := seen.WaitKind(t.Context(), events.TaskFinished, path)
	if err != nil {
		t.Fatal(err)
	}
	if e.Outcome != events.Failed || e.Attempt != 1 {
		t.Errorf("it ended as %v", e)
	}
	return e.Err
}

func TestANotifierThatNobodyTellsWhenToLookIsRefused(t *testing.T) {
	var notify systemd.Notifier
	app := supervisor.New(supervisor.Config{Children: []actor.Spec{notify.Spec("")}})
	var bad *policy.FieldError
	if err := app.Validate(); !errors.As(err, &bad) || bad.Field != "Subscriber" {
		t.Errorf("it is refused with %v", err)
	}
}
