package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/actor/tasks"
	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/supervisor"
	"github.com/taskvisor/taskvisor/supervisor/inspect"
	"github.com/taskvisor/taskvisor/supervisor/supervisortest"
)

func TestAStopInTheMiddleOfABurstLosesNoOutcome(t *testing.T) {
	p := start(t, 3*time.Millisecond)
	const clients, enough = 16, 300
	var (
		wg      sync.WaitGroup
		mu      sync.Mutex
		answers = map[events.ID]int{} // guarded by mu: the statuses
	)
	for n := range clients {
		wg.Go(func() {
			for i := 0; ; i++ {
				target := fmt.Sprintf("/deploy?env=env-%d&version=%d", i%3, i)
				if n%2 == 0 {
					target = "/export?tenant=" + []string{"acme", "birch"}[i%2]
				}
				status, got, err := p.ask("POST", target)
				if err != nil {
					return // the program does not listen any more
				}
				mu.Lock()
				if answers[got.ID] != 0 {
					t.Errorf("two jobs have number %d", got.ID)
				}
				answers[got.ID] = status
				if len(answers) == enough {
					p.cancel()
				}
				mu.Unlock()
				if i%10 == 0 {
					_, _, _ = p.ask("DELETE", fmt.Sprint("/jobs/", got.ID))
				}
			}
		})
	}
	wg.Wait()
	if err := p.wait(); err != nil {
		t.Error(err)
	}

	if len(answers) < enough {
		t.Errorf("only %d answers", len(answers))
	}
	for id, status := range answers {
		switch status {
		case http.StatusAccepted, http.StatusConflict, http.StatusTooManyRequests:
		default:
			t.Errorf("the answer about %d is %d", id, status)
		}
	}
	told := p.log.outcomes()
	if a, o := p.api.submitted.Load(), p.api.outcomes.told.Load(); a != int64(len(answers)) || o != a || len(told) != len(answers) {
		t.Errorf("%d answers, %d submitted, %d told, %d outcomes in the log", len(answers), a, o, len(told))
	}
	for id := range answers {
		if len(told[id]) != 1 {
			t.Errorf("job %d is told %q", id, told[id])
		}
	}
}

// One that waits and one that runs, with nobody who would stop them but the program.
func TestWhatRunsAndWaitsAtTheStopIsTold(t *testing.T) {
	p := start(t, time.Hour)
	runs := p.must(http.StatusAccepted, "POST", "/export?tenant=birch")
	waits := p.must(http.StatusAccepted, "POST", "/export?tenant=birch")
	p.cancel()
	if err := p.wait(); err != nil {
		t.Error(err)
	}
	told := p.log.outcomes()
	if got := told[runs.ID]; len(got) != 1 || !strings.HasPrefix(got[0], "stopped (shutdown)") {
		t.Errorf("of the one that ran is told %q", got)
	}
	if got := told[waits.ID]; len(got) != 1 || got[0] != "rejected (closing)" {
		t.Errorf("of the one that waited is told %q", got)
	}
}

func TestTheAnswersOfTheAPI(t *testing.T) {
	p := start(t, time.Hour)
	const deploy = "/deploy?env=production&version="
	first := p.must(http.StatusAccepted, "POST", deploy+"1")
	second := p.must(http.StatusAccepted, "POST", deploy+"2")
	p.await(first.ID, "stopped (replaced)")

	for range 6 { // one runs, five wait
		p.must(http.StatusAccepted, "POST", "/export?tenant=birch")
	}
	if got := p.must(http.StatusTooManyRequests, "POST", "/export?tenant=birch"); got.Outcome != "rejected (full)" {
		t.Errorf("one too many is answered %+v", got)
	}
	for range 7 { // two run
		p.must(http.StatusAccepted, "POST", "/export?tenant=acme")
	}

	var list controller.Snapshot
	p.fetch("/jobs", &list)
	if list.Owners != 4 || list.Queued != 10 || len(list.Slots) != 3 || list.Slots[0].Owners[0].ID != second.ID {
		t.Errorf("the list is %+v", list)
	}

	last := list.Slots[2].Queue[4].ID
	if got := p.must(http.StatusOK, "DELETE", fmt.Sprint("/jobs/", last)); got.Outcome != "rejected (withdrawn)" {
		t.Errorf("to take back what waits is answered %+v", got)
	}
	got := p.must(http.StatusOK, "DELETE", fmt.Sprint("/jobs/", second.ID))
	if got.ID != second.ID || !strings.HasPrefix(got.Outcome, "stopped (stopped)") {
		t.Errorf("to take back what runs is answered %+v", got)
	}
	p.must(http.StatusNotFound, "DELETE", fmt.Sprint("/jobs/", second.ID))
	p.must(http.StatusNotFound, "DELETE", "/jobs/first")

	p.must(http.StatusBadRequest, "POST", "/deploy?env=production")
	p.must(http.StatusBadRequest, "POST", "/export?tenant="+strings.Repeat("x", 2000))
	p.must(http.StatusAccepted, "POST", "/export?tenant=a/b%20%00")
	p.cancel()
	if err := p.wait(); err != nil {
		t.Error(err)
	}
}

func TestTheWorkBeginsAfterTheAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, p *program) {
		w := &slowWriter{ResponseRecorder: httptest.NewRecorder(), flush: func() {
			synctest.Wait()
			if p.log.says("working") {
				t.Error("it works already")
			}
		}}
		p.api.routes().ServeHTTP(w, httptest.NewRequest("POST", "/export?tenant=acme", nil))
		synctest.Wait()
		if w.Code != http.StatusAccepted || !p.log.says("working") {
			t.Errorf("the answer is %d, and nothing works", w.Code)
		}
	})
}

// Between the look at what runs and the answer, another client may be faster.
func TestWhatIsSupersededAtOnceIsAConflict(t *testing.T) {
	inBubble(t, func(t *testing.T, p *program) {
		p.api.outcomes.jobs = make(chan *actor.Handle) // nobody follows, so that it takes a second
		ask := func(version string) *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			p.api.routes().ServeHTTP(w, httptest.NewRequest("POST", "/deploy?env=production&version="+version, nil))
			return w
		}
		hold, _ := p.api.jobs.Submit(t.Context(), controller.Submission{Key: "deploy/production", Spec: actor.Spec{
			Name: "hold", Task: actor.Func(func(context.Context) error { time.Sleep(5 * time.Second); return nil }),
		}})
		codes := make(chan int, 2)
		go func() { codes <- ask("2").Code }()
		time.Sleep(time.Second / 2)
		go func() { codes <- ask("3").Code }()
		if first, second := <-codes, <-codes; first != http.StatusConflict || second != http.StatusAccepted {
			t.Errorf("the answers are %d and %d", first, second)
		}
		<-hold.Done()
	})
}

// A job that has no outcome when the follower is stopped is not kept quiet about.
func TestWhatIsStillWaitedForAtTheStopIsTold(t *testing.T) {
	inBubble(t, func(t *testing.T, p *program) {
		never, err := p.api.jobs.Prepare(controller.Submission{Spec: actor.Spec{Name: "never", Task: actor.Func(func(context.Context) error { return nil })}})
		if err != nil {
			t.Fatal(err)
		}
		p.api.outcomes.follow(t.Context(), never.Handle())
		p.tree.Fail("outcomes", errors.New("boom")) // ends its attempt, as a stop does
		p.tree.AwaitReady()
		if !p.log.says("no outcome yet") {
			t.Error("nothing is said")
		}
	})
}

func TestTheTreeHealsAndItsSettingsMakeSense(t *testing.T) {
	app := func() supervisor.Config { return newAPI(time.Second, slog.New(slog.DiscardHandler)).app(fakeServer()) }
	for _, f := range inspect.Vet(supervisor.New(app())) {
		t.Error(f)
	}
	supervisortest.Drill(t, app)
}

// A program is the example, running.
type program struct {
	t      *testing.T
	api    *api
	log    *records
	url    string
	client *http.Client
	cancel context.CancelFunc
	ended  chan error
	tree   *supervisortest.Tree // in a bubble
}

// start runs the tree on any free port, until it is cancelled.
func start(t *testing.T, takes time.Duration) *program {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	p := &program{t: t, log: &records{}, client: &http.Client{Transport: &http.Transport{}}, cancel: cancel, ended: make(chan error, 1)}
	p.api = newAPI(takes, slog.New(slog.NewJSONHandler(p.log, nil)))
	server := tasks.HTTP(&http.Server{Handler: p.api.routes()})
	server.Listen = func(context.Context) (net.Listener, error) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err == nil {
			p.url = "http://" + l.Addr().String()
		}
		return l, err
	}
	app := supervisor.New(p.api.app(server))
	go func() { p.ended <- app.Main(ctx) }()
	t.Cleanup(func() {
		cancel()
		p.client.CloseIdleConnections()
	})
	if err := app.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	return p
}

// inBubble runs the tree in virtual time, with a server that nobody can reach.
func inBubble(t *testing.T, test func(*testing.T, *program)) {
	p := &program{log: &records{}}
	app := func() supervisor.Config {
		p.api = newAPI(time.Second, slog.New(slog.NewJSONHandler(p.log, nil)))
		return p.api.app(fakeServer())
	}
	supervisortest.Run(t, app, func(t *testing.T, tree *supervisortest.Tree) {
		p.t, p.tree = t, tree
		test(t, p)
	})
}

func fakeServer() actor.Task {
	return actor.Func(func(ctx context.Context) error {
		actor.Ready(ctx)
		<-ctx.Done()
		return nil
	})
}

// wait returns the error of the program.
func (p *program) wait() error { return <-p.ended }

type reply struct {
	ID      events.ID `json:"id"`
	Outcome string    `json:"outcome"`
}

// ask returns an error only if there is no answer.
func (p *program) ask(method, target string) (status int, got reply, err error) {
	req, err := http.NewRequest(method, p.url+target, nil)
	if err != nil {
		return 0, got, err
	}
	res, err := p.client.Do(req)
	if err != nil {
		return 0, got, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	_ = json.Unmarshal(body, &got) // a refusal is plain text
	return res.StatusCode, got, err
}

func (p *program) must(status int, method, target string) reply {
	p.t.Helper()
	code, got, err := p.ask(method, target)
	if err != nil || code != status {
		p.t.Fatalf("%s %s is answered %d, want %d: %+v %v", method, target, code, status, got, err)
	}
	return got
}

func (p *program) fetch(target string, into any) {
	p.t.Helper()
	res, err := p.client.Get(p.url + target)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(into); err != nil {
		p.t.Fatal(err)
	}
}

// await returns when the outcome of a job is told.
func (p *program) await(id events.ID, outcome string) {
	p.t.Helper()
	for range 1000 {
		if told := p.log.outcomes()[id]; len(told) == 1 && strings.HasPrefix(told[0], outcome) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.t.Fatalf("of job %d is told %q, want %q", id, p.log.outcomes()[id], outcome)
}

// records is what was logged.
type records struct {
	mu  sync.Mutex
	all bytes.Buffer // guarded by mu
}

func (r *records) Write(line []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all.Write(line)
}

func (r *records) lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Split(strings.TrimSpace(r.all.String()), "\n")
}

func (r *records) says(msg string) bool {
	return strings.Contains(strings.Join(r.lines(), "\n"), fmt.Sprintf("%q:%q", "msg", msg))
}

// outcomes returns what is told of each job.
func (r *records) outcomes() map[events.ID][]string {
	told := map[events.ID][]string{}
	for _, line := range r.lines() {
		var got struct {
			reply
			Msg string `json:"msg"`
		}
		if json.Unmarshal([]byte(line), &got) == nil && got.Msg == "outcome" {
			told[got.ID] = append(told[got.ID], got.Outcome)
		}
	}
	return told
}

// slowWriter does something before an answer is out.
type slowWriter struct {
	*httptest.ResponseRecorder
	flush func()
}

func (w *slowWriter) Flush() { w.flush() }
