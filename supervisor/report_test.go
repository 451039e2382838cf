package supervisor_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// tells is one line for each stopped task: when it was told, how long it took, and what
// came of it.
func tells(r *supervisor.StopReport) []string {
	var lines []string
	for _, s := range r.Stops {
		told := "-"
		if !s.Told.IsZero() {
			told = s.Told.Sub(r.Began).String()
		}
		line := fmt.Sprintf("%s %s +%v %v", s.Path, told, s.Took, s.Outcome)
		for _, more := range []string{s.Reason.String(), s.Error, s.StopError} {
			if more != "" && more != events.ReasonShutdown.String() && s.Outcome != events.Abandoned {
				line += " " + more
			}
		}
		if s.Earlier {
			line += " earlier"
		}
		lines = append(lines, line)
	}
	return lines
}

func mustTell(t *testing.T, r *supervisor.StopReport, want ...string) {
	t.Helper()
	got := tells(r)
	for i := range got {
		got[i] = strings.Replace(got[i], " reason(0)", "", 1)
	}
	equal(t, "the stops of "+r.Path, strings.Join(got, "\n"), strings.Join(want, "\n"))
}

// stopped closes the house and returns its report.
func (h *house) stopped() *supervisor.StopReport {
	h.t.Helper()
	_ = h.close()
	return h.report()
}

func (h *house) report() *supervisor.StopReport {
	h.t.Helper()
	r := h.StopReport()
	if r == nil {
		h.t.Fatal("there is no report")
	}
	return r
}

func TestAReportSaysWhatWasStoppedWhenAndHowLongItTook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, supervisor.Config{Name: "app", Strategy: supervisor.RestForOne, Children: []actor.Spec{
			{Name: "db", Task: slow(time.Second)},
			{Name: "once", Restart: policy.Never, Task: in(0, nil)}, // has ended before
			{Name: "cache", Task: slow(2 * time.Second)},
			{Name: "web", Task: slow(3 * time.Second)},
		}})
		if h.StopReport() != nil {
			t.Error("there is a report before anything has stopped")
		}
		pass(time.Minute)
		began := time.Now()
		r := h.stopped()
		if r.Path != "/app" || !r.Began.Equal(began) || r.Took != 6*time.Second || r.Err != nil || r.Error != "" || r.Omitted != 0 {
			t.Errorf("%+v", r)
		}
		mustTell(t, r,
			"/app/web 0s +3s stopped",
			"/app/cache 3s +2s stopped",
			"/app/db 5s +1s stopped",
		)
		if id := h.handleID("web", r); id == 0 {
			t.Error("the task has no ID")
		}
	})
}

func (h *house) handleID(name string, r *supervisor.StopReport) events.ID {
	for _, s := range r.Stops {
		if strings.HasSuffix(s.Path, "/"+name) {
			return s.ID
		}
	}
	return 0
}

func TestAReportBeginsAfterTheLameDuckDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, supervisor.Config{LameDuck: 5 * time.Second, Children: []actor.Spec{{Name: "a", Task: slow(time.Second)}}})
		asked := time.Now()
		r := h.stopped()
		if got := r.Began.Sub(asked); got != 5*time.Second || r.Took != time.Second || r.Path != "/" {
			t.Errorf("%v after %v: %+v", r.Took, got, r)
		}
		mustTell(t, r, "/a 0s +1s stopped")
	})
}

func TestAReportShowsWhereAnAbandonedTaskWas(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		h := open(t, supervisor.Config{Name: "app", Children: []actor.Spec{
			{Name: "fine", Task: slow(time.Second)},
			{Name: "deaf", Grace: 4 * time.Second, Task: actor.Func(func(context.Context) error { bHangInLeaf(gate); return nil })},
		}})
		r := h.stopped()
		mustTell(t, r, "/app/fine 0s +1s stopped", "/app/deaf 0s +4s abandoned")
		stuck := r.Stops[1].Stuck
		if stuck == nil || stuck.For != 4*time.Second || len(bPlaces(stuck.Goroutines)) != 1 || bPlaces(stuck.Goroutines)[0] != "bHangInLeaf" {
			t.Errorf("stuck: %+v", stuck)
		}
		if r.Stops[1].Err != nil || r.Stops[0].Stuck != nil {
			t.Errorf("%+v", r.Stops)
		}
	})
}

func TestErrorsReturnedAfterTheStopStandInTheReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		after := func(d time.Duration, then func() error) actor.Func {
			return func(ctx context.Context) error {
				<-ctx.Done()
				rest(d)
				return then()
			}
		}
		h := open(t, supervisor.Config{Name: "app", Children: []actor.Spec{
			{Name: "quiet", Task: after(1*time.Second, func() error { return fmt.Errorf("read: %w", context.Canceled) })},
			{Name: "error", Task: after(2*time.Second, func() error { return errBoom })},
			{Name: "panic", Task: after(3*time.Second, func() error { panic("late") })},
			{Name: "unspeakable", Task: after(4*time.Second, func() error { return bBadError{} })},
		}})
		r := h.stopped()
		mustTell(t, r,
			"/app/quiet 0s +1s stopped",
			"/app/error 0s +2s stopped boom",
			"/app/panic 0s +3s stopped panic: late",
			"/app/unspeakable 0s +4s stopped %!v(PANIC=Error method: bad)",
		)
		if !errors.Is(r.Stops[1].StopErr, errBoom) || r.Stops[1].Err != nil {
			t.Errorf("%+v", r.Stops[1])
		}
	})
}

func TestWhatEndsByItselfDuringAStopIsInTheReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, supervisor.Config{Name: "app", Strategy: supervisor.RestForOne, Children: []actor.Spec{
			{Name: "gives up", MaxRetries: policy.NoRetry, Task: in(11*time.Second, errBoom)},
			{Name: "fails", Task: in(12*time.Second, errBoom)},
			{Name: "completes", Task: in(13*time.Second, nil)},
			{Name: "last", Task: slow(5 * time.Second)},
		}})
		pass(10 * time.Second)
		r := h.stopped()
		mustTell(t, r,
			"/app/gives up - +0s failed boom",
			"/app/fails - +0s stopped boom", // and would have been tried again
			"/app/completes - +0s completed",
			"/app/last 0s +5s stopped",
		)
		if !errors.Is(r.Stops[1].Err, errBoom) || r.Stops[1].StopErr != nil {
			t.Errorf("%+v", r.Stops[1])
		}
	})
}

func TestATaskThatPausesIsToldToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, supervisor.Config{Name: "app", Children: []actor.Spec{
			{Name: "pauses", Timeout: time.Second, Backoff: policy.Constant(time.Hour), Task: actor.Func(serve)},
		}})
		pass(time.Minute) // long after the timeout told its attempt to return
		mustTell(t, h.stopped(), "/app/pauses 0s +0s stopped")
	})
}

func TestATaskThatWasToldBeforeTheStopCountsFromThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, supervisor.Config{Name: "app", Children: []actor.Spec{{Name: "a", Task: slow(9 * time.Second)}}})
		_ = h.Stop(bWithin(t, 5*time.Second), "a")
		mustTell(t, h.stopped(), "/app/a -5s +9s stopped stopped")
	})
}

func TestTheReportsOfSupervisorsBelowHangUnderTheirEntries(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		deep := supervisor.New(supervisor.Config{Children: []actor.Spec{
			{Name: "deaf", Grace: 2 * time.Second, Task: bDeaf(gate)},
		}})
		pool := supervisor.New(supervisor.Config{Strategy: supervisor.OneForAll, Children: []actor.Spec{
			deep.Spec("deep"), {Name: "worker", Task: slow(time.Second)},
		}})
		idle := supervisor.New(supervisor.Config{})
		h := open(t, supervisor.Config{Name: "app", Strategy: supervisor.OneForAll, Children: []actor.Spec{
			pool.Spec("pool"), idle.Spec("idle"), {Name: "web", Task: slow(time.Second)},
		}})
		r := h.stopped()
		mustTell(t, r,
			"/app/web 0s +1s stopped",
			"/app/idle 1s +0s stopped",
			"/app/pool 1s +3s stopped stop of /app/pool: 1 task left behind after 3s",
		)
		below := r.Stops[2].Below
		if below == nil || below.Path != "/app/pool" || !below.Began.Equal(r.Began.Add(time.Second)) || below.Took != 3*time.Second || below.Err != nil {
			t.Fatalf("%+v", below)
		}
		mustTell(t, below,
			"/app/pool/worker 0s +1s stopped",
			"/app/pool/deep 1s +2s stopped stop of /app/pool/deep: 1 task left behind after 2s",
		)
		mustTell(t, below.Stops[1].Below, "/app/pool/deep/deaf 0s +2s abandoned")
		if r.Stops[1].Below == nil || r.Stops[0].Below != nil {
			t.Errorf("%+v", r.Stops)
		}
		equal(t, "what the supervisor below says itself", pool.StopReport().String(), below.String())
	})
}

func TestARunThatEndedByItselfSaysWhyInItsReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, supervisor.Config{Name: "app", Intensity: policy.Intensity{Restarts: 1, Within: time.Hour}, Children: []actor.Spec{
			{Name: "fails", Backoff: second, Task: in(0, errBoom)},
			{Name: "web", Task: slow(3 * time.Second)},
		}})
		err := h.wait()
		r := h.report()
		if as[*supervisor.IntensityError](t, r.Err) != as[*supervisor.IntensityError](t, err) || r.Error != err.Error() || r.Took != 3*time.Second {
			t.Errorf("%+v", r)
		}
		mustTell(t, r, "/app/fails - +0s failed boom", "/app/web 0s +3s stopped")
	})
}

func TestASupervisorThatFailedShowsItsReportInTheStopThatItCaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := supervisor.New(supervisor.Config{Children: []actor.Spec{
			{Name: "worker", Task: slow(time.Second)},
			{Name: "fails", Task: in(time.Minute, actor.Escalate(errBoom))},
		}})
		spec := pool.Spec("pool")
		spec.MaxRetries, spec.OnGiveUp = policy.NoRetry, policy.GiveUpEscalate
		h := open(t, supervisor.Config{Name: "app", Children: []actor.Spec{spec, {Name: "web", Task: actor.Func(serve)}}})
		_ = h.wait()
		r := h.report()
		as[*supervisor.EscalatedError](t, r.Err)
		if len(r.Stops) != 2 || r.Stops[0].Path != "/app/pool" || r.Stops[0].Below == nil {
			t.Fatalf("%+v", r)
		}
		mustTell(t, r.Stops[0].Below, "/app/pool/fails - +0s failed boom", "/app/pool/worker 0s +1s stopped")
	})
}

func TestAReportIsNeverThatOfAnotherRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		pool := supervisor.New(supervisor.Config{Children: []actor.Spec{
			{Name: "worker", Task: actor.Func(serve)},
			{Name: "fails", Task: actor.Func(func(ctx context.Context) error {
				if tries++; tries%2 == 1 {
					return actor.Escalate(errBoom)
				}
				return serve(ctx)
			})},
		}})
		spec := pool.Spec("pool")
		spec.Backoff = policy.Constant(time.Hour)
		s := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{spec}})

		h := reopen(t, s)
		pass(time.Minute) // the pool has failed, and pauses
		if pool.StopReport() == nil {
			t.Error("the pool has ended and has no report")
		}
		r := h.stopped()
		mustTell(t, r, "/app/pool 0s +0s stopped")
		if r.Stops[0].Below != nil {
			t.Errorf("the report of a run that was over before: %v", r.Stops[0].Below)
		}

		h = reopen(t, s)
		pass(2 * time.Hour)
		if again := h.StopReport(); again.String() != r.String() {
			t.Errorf("while it runs again, the report is not that of the run before:\n%v", again)
		}
		r = h.stopped()
		if len(r.Stops) != 1 || r.Stops[0].Below == nil || r.Stops[0].Below.Err != nil {
			t.Fatalf("%+v", r)
		}
		if got := r.Stops[0].Below; len(got.Stops) != 2 || !got.Began.Equal(r.Began) {
			t.Errorf("%v", got)
		}
	})
}

// other is a family whose run is not that of its head.
type other struct{ *supervisor.Supervisor }

func (o other) Run(ctx context.Context) error { return serve(ctx) }

func TestASupervisorThatItsFamilyHasNotRunHasNoReportBelow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := supervisor.New(supervisor.Config{Children: []actor.Spec{{Name: "worker", Task: actor.Func(serve)}}})
		if r := reopen(t, pool).stopped(); len(r.Stops) != 1 {
			t.Fatalf("%+v", r)
		}
		h := open(t, supervisor.Config{Name: "app", Children: []actor.Spec{{Name: "pool", Task: other{pool}, Optional: true}}})
		r := h.stopped()
		if len(r.Stops) != 1 || r.Stops[0].Below != nil {
			t.Errorf("%v", r)
		}
	})
}

func TestAReportNamesWhatWasAbandonedBeforeAndStillRuns(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		soon := make(chan struct{})
		hang := func(context.Context) error { bHangInLeaf(gate); return nil }
		pool := supervisor.New(supervisor.Config{Children: []actor.Spec{{Name: "deaf", Grace: time.Second, Task: actor.Func(hang)}}})
		h := open(t, supervisor.Config{Name: "app", Children: []actor.Spec{
			{Name: "deaf", Grace: time.Second, Task: actor.Func(hang)},
			{Name: "late", Grace: time.Second, Task: bDeaf(soon)},
			pool.Spec("pool"),
			{Name: "web", Task: actor.Func(serve)},
		}})
		for _, name := range []string{"deaf", "late", "pool"} {
			if err := h.Stop(context.Background(), name); err == nil {
				t.Errorf("%s was not left behind", name)
			}
		}
		close(soon) // this one returns after all
		pass(10 * time.Second)
		r := h.stopped()
		mustTell(t, r,
			"/app/web 0s +0s stopped",
			"/app/deaf -13s +13s abandoned earlier",
			"/app/pool/deaf - +1s abandoned earlier",
		)
		for _, s := range r.Stops[1:] {
			if s.Stuck == nil || len(bPlaces(s.Stuck.Goroutines)) != 1 {
				t.Errorf("%+v", s)
			}
		}
	})
}

func TestAReportOfAHundredThousandNamesAThousandAndAllThatStandOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, slowOnes = 100_000, 30
		h := open(t, supervisor.Config{Name: "app"})
		specs := make([]actor.Spec, n)
		for i := range specs {
			specs[i] = actor.Spec{Name: fmt.Sprint("job-", i), Task: actor.Func(serve)}
			switch {
			case i%10_000 == 0: // ten return an error
				specs[i].Task = actor.Func(func(ctx context.Context) error { <-ctx.Done(); return errBoom })
			case i < slowOnes+1:
				specs[i].Task = slow(2 * time.Second)
			}
		}
		if _, err := h.StartAll(context.Background(), specs...); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		r := h.stopped()
		var failed, late int
		for _, s := range r.Stops {
			if s.StopErr != nil {
				failed++
			}
			if s.Took > time.Second {
				late++
			}
		}
		if failed != 10 || late != slowOnes || len(r.Stops) != 1000+10+slowOnes || len(r.Stops)+r.Omitted != n {
			t.Errorf("%d returned an error, %d were slow, %d are named and %d omitted", failed, late, len(r.Stops), r.Omitted)
		}
		text := r.String()
		if lines := strings.Count(text, "\n"); lines > 60 {
			t.Errorf("%d lines", lines)
		}
		if !strings.HasSuffix(text, "\n└─ … and 99,950 more") {
			t.Errorf("the text ends with %q", text[len(text)-100:])
		}
	})
}

func TestAReportIsTheSameAfterAWayThroughJSON(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		pool := supervisor.New(supervisor.Config{Children: []actor.Spec{
			{Name: "deaf", Grace: 1500 * time.Millisecond, Task: actor.Func(func(context.Context) error { bHangInLeaf(gate); return nil })},
			{Name: "error", Task: actor.Func(func(ctx context.Context) error { <-ctx.Done(); return errBoom })},
		}})
		h := open(t, supervisor.Config{Name: "app", Children: []actor.Spec{
			pool.Spec("pool"), {Name: "ends it", Task: in(time.Minute, actor.Escalate(errBoom))},
		}})
		_ = h.wait()
		r := h.report()
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var back supervisor.StopReport
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		equal(t, "the text", back.String(), r.String())
		again, err := json.Marshal(&back)
		equal(t, "the JSON", string(again), string(text))
		if err != nil || !reflect.DeepEqual(back.Stops[1].Below.Stops[1].Stuck, r.Stops[1].Below.Stops[1].Stuck) {
			t.Errorf("%v, %+v", err, back.Stops)
		}

		var plain map[string]any
		if err := json.Unmarshal(text, &plain); err != nil {
			t.Fatal(err)
		}
		keys := func(m any, want string) map[string]any {
			t.Helper()
			var got []string
			for k := range m.(map[string]any) {
				got = append(got, k)
			}
			equal(t, "the names", strings.Join(sorted(got), " "), want)
			return m.(map[string]any)
		}
		stops := keys(plain, "began error path stops took")["stops"].([]any)
		keys(stops[0], "error id outcome path took")
		below := keys(stops[1], "below id outcome path reason stop_error told took")["below"].(map[string]any)
		stops = below["stops"].([]any)
		keys(stops[0], "id outcome path reason stop_error told took")
		stuck := keys(stops[1], "id outcome path reason stuck told took")["stuck"]
		g := keys(stuck, "attempt for generation goroutines path")["goroutines"].([]any)
		keys(g[0], "count label path stack")
		if plain["took"] != 1.5 || stuck.(map[string]any)["for"] != 1.5 {
			t.Errorf("%s", text)
		}
	})
}

func sorted(words []string) []string {
	slices.Sort(words)
	return words
}
