package inspect_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
	"github.com/taskvisor/taskvisor/supervisor/inspect"
)

// a is a service whose spec is changed.
func a(change func(*actor.Spec)) actor.Spec { return with(service("a"), change) }

func children(specs ...actor.Spec) supervisor.Config { return supervisor.Config{Children: specs} }

// limited is a supervisor with an Intensity.
func limited(restarts int, within time.Duration, specs ...actor.Spec) supervisor.Config {
	return supervisor.Config{Intensity: policy.Intensity{Restarts: restarts, Within: within}, Children: specs}
}

func backingOff(name string, b policy.Backoff) actor.Spec {
	return with(service(name), func(s *actor.Spec) { s.Backoff = b })
}

// every waits that long before each retry.
func every(name string, d time.Duration) actor.Spec { return backingOff(name, policy.Constant(d)) }

func strategy(s supervisor.Strategy, cfg supervisor.Config) supervisor.Config {
	cfg.Strategy = s
	return cfg
}

func retries(n int, spec actor.Spec) actor.Spec {
	spec.MaxRetries = n
	return spec
}

func graced(name string, d time.Duration) actor.Spec {
	return with(service(name), func(s *actor.Spec) { s.Grace = d })
}

func bounded(d time.Duration, cfg supervisor.Config) supervisor.Config {
	cfg.StopTimeout = d
	return cfg
}

// contradiction is a tree, and where something is found: "path check" each.
type contradiction struct {
	name string
	cfg  supervisor.Config
	want []string
}

var contradictions = []contradiction{
	{"nothing is wrong with nothing", supervisor.Config{}, nil},
	{"nothing is wrong with defaults", children(service("a"), announced("b"), pool("p", children(service("x")))), nil},
	{"a negative limit is refused", supervisor.Config{Name: "app", Limit: -1}, []string{"/app invalid"}},
	{"what is built around an invalid supervisor is found too", children(
		actor.Spec{Name: "p", Task: &wrapped{supervisor.New(supervisor.Config{Limit: -1})}}, a(func(s *actor.Spec) { s.Timeout, s.Stall = 1, 2 }),
	), []string{"/p invalid", "/a stall_unnoticed"}},

	{"five failures fit, and five are allowed", limited(5, 20*time.Second, every("a", 5*time.Second)), []string{"/ intensity_out_of_reach"}},
	{"five failures fit, and four are allowed", limited(4, 20*time.Second, every("a", 5*time.Second)), nil},
	{"two children fail twice as often", limited(9, 20*time.Second, every("a", 5*time.Second), every("b", 5*time.Second)), nil},
	{"but not more", limited(10, 20*time.Second, every("a", 5*time.Second), every("b", 5*time.Second)), []string{"/ intensity_out_of_reach"}},
	{"the lowest delays count", limited(2, 10*time.Second, backingOff("a", policy.Exponential(4*time.Second, time.Hour))), nil},
	{"also of a backoff that grows", limited(3, 13*time.Second, backingOff("a", policy.Exponential(4*time.Second, time.Hour))), []string{"/ intensity_out_of_reach"}},
	{"full jitter may not wait at all", limited(100, time.Second, backingOff("a", policy.Exponential(time.Hour, time.Hour).WithJitter(policy.FullJitter))), nil},
	{"nothing is known of a custom backoff", limited(100, time.Second, backingOff("a", policy.Custom(policy.Constant(time.Hour).New))), nil},
	{"who gives up is not retried for ever", limited(5, 20*time.Second, retries(3, every("a", 5*time.Second))), nil},
	{"but one beside it may be", limited(8, 20*time.Second, retries(3, every("a", 5*time.Second)), every("b", 5*time.Second)), []string{"/ intensity_out_of_reach"}},
	{"and all have to be counted", limited(7, 20*time.Second, retries(3, every("a", 5*time.Second)), every("b", 5*time.Second)), nil},
	{"no child is retried", limited(1, time.Second, a(func(s *actor.Spec) { s.Restart = policy.Never })), nil},
	{"a success begins the backoff again", limited(3, 13*time.Second, with(backingOff("a", policy.Exponential(4*time.Second, time.Hour)), func(s *actor.Spec) { s.Restart = policy.Always })), nil},
	{"a healthy run does so too", limited(3, 2*time.Minute, backingOff("a", policy.Exponential(40*time.Second, time.Hour))), nil},
	{"a group restart counts once", strategy(supervisor.OneForAll, limited(5, 20*time.Second, every("a", 5*time.Second), every("b", 5*time.Second))), []string{"/ intensity_out_of_reach"}},
	{"one in rest for one may cut short the pause of the last", strategy(supervisor.RestForOne, limited(15, 20*time.Second, every("a", 5*time.Second), every("b", 5*time.Second))), nil},
	{"no more often than it fails", strategy(supervisor.RestForOne, limited(20, 20*time.Second, every("a", 5*time.Second), every("b", 5*time.Second))), []string{"/ intensity_out_of_reach"}},
	{"no limit is meant", limited(policy.Unlimited, time.Second, every("a", time.Hour)), nil},

	{"the fourth failure ends the supervisor, with five retries", limited(3, 10*time.Second, retries(5, every("a", 3*time.Second))), []string{"/a retries_out_of_reach"}},
	{"the retries are as many as the restarts", limited(5, 10*time.Second, retries(5, every("a", time.Second))), nil},
	{"the delays may be too long", limited(3, 10*time.Second, retries(5, backingOff("a", policy.Linear(3*time.Second, time.Second, time.Minute)))), nil},
	{"the longest of them count", limited(3, 12*time.Second, retries(5, backingOff("a", policy.Linear(3*time.Second, time.Second, time.Minute)))), []string{"/a retries_out_of_reach"}},
	{"nothing is known of a custom backoff, again", limited(3, time.Hour, retries(5, backingOff("a", policy.Custom(policy.NoBackoff().New)))), nil},
	{"siblings take time to stop", strategy(supervisor.OneForAll, limited(1, 15*time.Second, retries(3, every("a", time.Second)), retries(policy.NoRetry, graced("b", 15*time.Second)))), nil},
	{"but not that much", strategy(supervisor.OneForAll, limited(1, 16*time.Second, retries(3, every("a", time.Second)), retries(policy.NoRetry, graced("b", 15*time.Second)))), []string{"/a retries_out_of_reach"}},

	{"no pause, no limit, no intensity", children(backingOff("a", policy.NoBackoff())), []string{"/a busy_loop"}},
	{"a limit", children(retries(3, backingOff("a", policy.NoBackoff()))), nil},
	{"an intensity", limited(3, time.Second, backingOff("a", policy.NoBackoff())), nil},
	{"a pause", children(every("a", time.Millisecond)), nil},

	{"a backoff of what is never restarted", children(a(func(s *actor.Spec) { s.Restart, s.Backoff = policy.Never, second })), []string{"/a unused_retry_settings"}},
	{"a backoff of what is not retried", children(retries(policy.NoRetry, every("a", time.Second))), []string{"/a unused_retry_settings"}},
	{"a backoff for others", supervisor.Config{Defaults: supervisor.Defaults{Backoff: second}, Children: []actor.Spec{a(func(s *actor.Spec) { s.Restart = policy.Never })}}, nil},

	{"it times out before it is healthy", children(a(func(s *actor.Spec) { s.Timeout, s.ResetAfter = time.Minute, time.Minute+1 })), []string{"/a never_healthy"}},
	{"it may just be healthy", children(a(func(s *actor.Spec) { s.Timeout, s.ResetAfter = time.Minute, time.Minute })), nil},
	{"nobody has said when it is healthy", children(a(func(s *actor.Spec) { s.Timeout = time.Second })), nil},
	{"the default is for others", supervisor.Config{Defaults: supervisor.Defaults{ResetAfter: time.Hour}, Children: []actor.Spec{a(func(s *actor.Spec) { s.Timeout = time.Second })}}, nil},

	{"it times out before it stalls", children(a(func(s *actor.Spec) { s.Timeout, s.Stall = time.Minute, time.Minute })), []string{"/a stall_unnoticed"}},
	{"it stalls before it times out", children(a(func(s *actor.Spec) { s.Timeout, s.Stall = time.Minute, time.Minute-1 })), nil},
	{"it has no timeout", children(a(func(s *actor.Spec) { s.Stall = time.Hour })), nil},

	{"what is never stuck is not abandoned", bounded(20*time.Second, children(a(func(s *actor.Spec) { s.Grace, s.OnStuck = policy.Forever, policy.StuckAbandon }))), []string{"/a never_stuck"}},
	{"it is waited for", bounded(20*time.Second, children(a(func(s *actor.Spec) { s.Grace, s.OnStuck = policy.Forever, policy.StuckWait }))), nil},

	{"a grace longer than the stop", bounded(20*time.Second, children(graced("a", 21*time.Second))), []string{"/a grace_cut_short"}},
	{"a grace as long as the stop", bounded(20*time.Second, children(graced("a", 20*time.Second))), nil},
	{"in order, a tenth is for the others", strategy(supervisor.RestForOne, bounded(20*time.Second, children(graced("a", 19*time.Second)))), []string{"/a grace_cut_short"}},
	{"nine tenths are not", strategy(supervisor.RestForOne, bounded(20*time.Second, children(graced("a", 18*time.Second)))), nil},
	{"a default grace is no contradiction", bounded(5*time.Second, children(service("a"))), nil},
	{"for ever is as long as the stop takes", bounded(20*time.Second, children(graced("a", policy.Forever))), nil},
	{"an ancestor leaves less", bounded(20*time.Second, children(pool("p", children(graced("a", 21*time.Second))))), []string{"/p/a grace_cut_short"}},
	{"the lame-duck time leaves less", supervisor.Config{StopTimeout: 20 * time.Second, LameDuck: 5 * time.Second, Children: []actor.Spec{graced("a", 16*time.Second)}}, []string{"/a grace_cut_short"}},

	{"graces one after the other", strategy(supervisor.OneForAll, bounded(20*time.Second, children(graced("a", 5*time.Second), graced("b", 7*time.Second), graced("c", 7*time.Second)))), []string{"/ graces_in_sum"}},
	{"fit if they are short", strategy(supervisor.OneForAll, bounded(20*time.Second, children(graced("a", 4*time.Second), graced("b", 7*time.Second), graced("c", 7*time.Second)))), nil},
	{"also into the last tenth", strategy(supervisor.OneForAll, bounded(20*time.Second, children(graced("a", 2*time.Second), graced("b", 9*time.Second), graced("c", 9*time.Second)))), nil},
	{"and side by side", bounded(20*time.Second, children(graced("a", 18*time.Second), graced("b", 18*time.Second))), nil},
	{"a default takes no time here", strategy(supervisor.OneForAll, bounded(20*time.Second, children(service("a"), service("b"), service("c")))), nil},

	{"more time than the parent leaves", bounded(20*time.Second, children(pool("p", bounded(21*time.Second, children(service("x")))))), []string{"/p stop_timeout_cut_short"}},
	{"as much", bounded(20*time.Second, children(pool("p", bounded(20*time.Second, children(service("x")))))), nil},
	{"more than its own grace", bounded(20*time.Second, children(with(pool("p", bounded(11*time.Second, children(service("x")))), func(s *actor.Spec) { s.Grace = 10 * time.Second }))), []string{"/p stop_timeout_cut_short"}},

	{"most of the default", supervisor.Config{LameDuck: 31 * time.Second}, []string{"/ lame_duck_too_long", "/ slow_stop"}},
	{"half of it", supervisor.Config{LameDuck: 30 * time.Second}, nil},
	{"most of what somebody has set beside it", supervisor.Config{LameDuck: 18 * time.Second, StopTimeout: 20 * time.Second}, nil},
	{"more than is ever waited", supervisor.Config{LameDuck: 19 * time.Second, StopTimeout: 20 * time.Second}, []string{"/ lame_duck_too_long"}},
	{"most of what the ancestors leave", bounded(20*time.Second, children(pool("p", supervisor.Config{LameDuck: 11 * time.Second, Children: []actor.Spec{service("x")}}))), []string{"/p lame_duck_too_long"}},

	{"a minute until the root has stopped", children(graced("a", policy.Forever)), []string{"/ slow_stop"}},
	{"thirty seconds are usual", strategy(supervisor.OneForAll, children(service("a"), service("b"), service("c"))), nil},
	{"forty are not", strategy(supervisor.OneForAll, children(service("a"), service("b"), service("c"), service("d"))), []string{"/ slow_stop"}},

	{"two services, one permit", supervisor.Config{Concurrency: 1, Children: []actor.Spec{announced("a"), announced("b")}}, []string{"/ too_few_permits"}},
	{"two services, two permits", supervisor.Config{Concurrency: 2, Children: []actor.Spec{announced("a"), announced("b")}}, nil},
	{"one needs none", supervisor.Config{Concurrency: 1, Children: []actor.Spec{announced("a"), with(announced("b"), func(s *actor.Spec) { s.NoPermit = true })}}, nil},
	{"one is optional", supervisor.Config{Concurrency: 1, Children: []actor.Spec{announced("a"), with(announced("b"), func(s *actor.Spec) { s.Optional = true })}}, nil},
	{"one ends in time", supervisor.Config{Concurrency: 1, Children: []actor.Spec{announced("a"), with(announced("b"), func(s *actor.Spec) { s.Timeout = time.Second })}}, nil},
	{"one does not say when it is ready", supervisor.Config{Concurrency: 1, Children: []actor.Spec{announced("a"), service("b")}}, nil},
	{"an outer limit counts as well", supervisor.Config{Concurrency: 1, Children: []actor.Spec{announced("a"), pool("p", children(announced("x")))}}, []string{"/ too_few_permits"}},

	{"more than the outer limit", supervisor.Config{Concurrency: 2, Children: []actor.Spec{pool("p", supervisor.Config{Concurrency: 3})}}, []string{"/p concurrency_no_effect"}},
	{"as many", supervisor.Config{Concurrency: 2, Children: []actor.Spec{pool("p", supervisor.Config{Concurrency: 2})}}, nil},
	{"a limit that is there to be changed", supervisor.Config{Concurrency: 2, Children: []actor.Spec{pool("p", supervisor.Config{Concurrency: policy.Unlimited})}}, nil},

	{"less time to start than a child has", children(with(pool("p", children(with(announced("x"), func(s *actor.Spec) { s.StartTimeout = time.Minute }))), func(s *actor.Spec) { s.StartTimeout = time.Second })), []string{"/p start_timeout_cut_short"}},
	{"the child has a default", children(with(pool("p", children(announced("x"))), func(s *actor.Spec) { s.StartTimeout = time.Second })), nil},
	{"nobody waits for the child", children(with(pool("p", children(with(announced("x"), func(s *actor.Spec) { s.StartTimeout, s.Optional = time.Minute, true }))), func(s *actor.Spec) { s.StartTimeout = time.Second })), nil},

	{"no retry fits into the start", children(with(announced("a"), func(s *actor.Spec) { s.StartTimeout, s.Backoff = time.Second, policy.Exponential(3*time.Second, 0) })), []string{"/a no_retry_at_start"}},
	{"one may", children(with(announced("a"), func(s *actor.Spec) { s.StartTimeout, s.Backoff = time.Second, policy.Exponential(2*time.Second, 0) })), nil},
	{"none is wanted", children(with(announced("a"), func(s *actor.Spec) { s.StartTimeout, s.MaxRetries = time.Millisecond, policy.NoRetry })), nil},

	{"nothing brings the shutdown about", supervisor.Config{AutoShutdown: supervisor.AutoShutdownAny, Children: []actor.Spec{service("a")}}, []string{"/ no_significant_child"}},
	{"one child does", supervisor.Config{AutoShutdown: supervisor.AutoShutdownAny, Children: []actor.Spec{a(func(s *actor.Spec) { s.Significant = true })}}, nil},
	{"one that nobody needs", supervisor.Config{AutoShutdown: supervisor.AutoShutdownAny, Children: []actor.Spec{a(func(s *actor.Spec) { s.Significant, s.Optional = true, true })}}, []string{"/a significant_optional"}},
}

// wrapped is built around a supervisor and does not pass on its Validate.
type wrapped struct{ inner *supervisor.Supervisor }

func (w *wrapped) Run(ctx context.Context) error { return w.inner.Run(ctx) }
func (w *wrapped) Head() *supervisor.Supervisor  { return w.inner }

func TestContradictionsAreFoundAndNothingElse(t *testing.T) {
	seen := map[string]bool{}
	for _, row := range slices.Concat(contradictions, inherited) {
		t.Run(row.name, func(t *testing.T) {
			var got []string
			for _, f := range inspect.Vet(supervisor.New(row.cfg)) {
				got = append(got, f.Path+" "+f.Check.String())
				seen[f.Check.String()] = true
				if line := f.String(); f.Problem == "" || f.Remedy == "" || strings.Contains(line, "\n") || strings.Contains(line, "%!") {
					t.Errorf("%s", line)
				}
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("\n got %q\nwant %q", got, row.want)
			}
		})
	}
	for _, c := range inspect.Checks() {
		if !seen[c.String()] {
			t.Errorf("no row is found by %v", c)
		}
	}
}

func TestNoSupervisorHasNoContradictions(t *testing.T) {
	if found := inspect.Vet(nil); found != nil {
		t.Error(found)
	}
}

func TestEveryLabelGoesThereAndBack(t *testing.T) {
	labelsGoThereAndBack(t, inspect.Checks())
	labelsGoThereAndBack(t, inspect.Answers())
	if n := len(inspect.Checks()); n != 19 {
		t.Errorf("%d checks", n)
	}
	if n := len(inspect.Answers()); n != 9 {
		t.Errorf("%d answers", n)
	}
}

func labelsGoThereAndBack[E interface {
	comparable
	String() string
}](t *testing.T, values []E) {
	t.Helper()
	for _, v := range values {
		text, err := json.Marshal(v)
		if err != nil || string(text) != `"`+v.String()+`"` {
			t.Errorf("%v: %s, %v", v, text, err)
		}
		var back E
		if err := json.Unmarshal(text, &back); err != nil || back != v {
			t.Errorf("%s: %v, %v", text, back, err)
		}
	}
	var none E
	if _, err := json.Marshal(none); err == nil {
		t.Errorf("%v was marshalled", none)
	}
	if err := json.Unmarshal([]byte(`"nonsense"`), &none); err == nil {
		t.Error("nonsense was read")
	}
}
