package inspect_test

import (
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// inheriting is a supervisor whose tasks have defaults.
func inheriting(d supervisor.Defaults, cfg supervisor.Config) supervisor.Config {
	cfg.Defaults = d
	return cfg
}

// inherited are trees in whose defaults something is found or just not, and the same for
// what inherits them.
var inherited = []contradiction{
	{"a grace that was set for all", inheriting(supervisor.Defaults{Grace: 6 * time.Second}, bounded(5*time.Second, children())), []string{"/ grace_cut_short"}},
	{"it may be as long as the stop", inheriting(supervisor.Defaults{Grace: 5 * time.Second}, bounded(5*time.Second, children())), nil},
	{"or for ever", inheriting(supervisor.Defaults{Grace: policy.Forever}, bounded(5*time.Second, children())), nil},
	{"who inherits it is not found again", inheriting(supervisor.Defaults{Grace: 6 * time.Second}, bounded(5*time.Second, children(service("a"), service("b")))), []string{"/ grace_cut_short"}},
	{"who has set the same is", inheriting(supervisor.Defaults{Grace: 6 * time.Second}, bounded(5*time.Second, children(service("a"), graced("b", 6*time.Second)))), []string{"/ grace_cut_short", "/b grace_cut_short"}},
	{"who has set less mends it for itself alone", inheriting(supervisor.Defaults{Grace: 6 * time.Second}, bounded(5*time.Second, children(graced("a", time.Second)))), []string{"/ grace_cut_short"}},
	{"in order, a tenth is for the others, of all", inheriting(supervisor.Defaults{Grace: 19 * time.Second}, strategy(supervisor.RestForOne, bounded(20*time.Second, children()))), []string{"/ grace_cut_short"}},
	{"nine tenths are not, of all", inheriting(supervisor.Defaults{Grace: 18 * time.Second}, strategy(supervisor.RestForOne, bounded(20*time.Second, children()))), nil},
	{"a supervisor below has its own defaults", inheriting(supervisor.Defaults{Grace: 5 * time.Second}, bounded(5*time.Second, children(
		pool("p", inheriting(supervisor.Defaults{Grace: 6 * time.Second}, children(service("x")))), service("b"),
	))), []string{"/p grace_cut_short"}},
	{"and may have a grace as well", bounded(5*time.Second, children(
		with(pool("p", inheriting(supervisor.Defaults{Grace: 6 * time.Second}, children())), func(s *actor.Spec) { s.Grace = 7 * time.Second }),
	)), []string{"/p grace_cut_short", "/p grace_cut_short"}},
	{"a controller is looked at like any other", bounded(5*time.Second, children(workers(supervisor.Defaults{Grace: time.Minute}))), []string{"/jobs grace_cut_short"}},
	{"nothing is wrong with its own", bounded(5*time.Second, children(workers(supervisor.Defaults{}))), nil},

	{"all time out before they are healthy", inheriting(supervisor.Defaults{ResetAfter: time.Hour, Timeout: time.Hour - 1}, children(service("a"))), []string{"/ never_healthy"}},
	{"they may just be healthy", inheriting(supervisor.Defaults{ResetAfter: time.Hour, Timeout: time.Hour}, children(service("a"))), nil},
	{"nobody has said when they are healthy", inheriting(supervisor.Defaults{Timeout: time.Second}, children(service("a"))), nil},
	{"nor has one that has a timeout", inheriting(supervisor.Defaults{ResetAfter: time.Hour}, children(a(func(s *actor.Spec) { s.Timeout = time.Minute }))), nil},
	{"one has said so for itself", inheriting(supervisor.Defaults{Timeout: time.Minute}, children(a(func(s *actor.Spec) { s.ResetAfter = time.Hour }))), []string{"/a never_healthy"}},
	{"what is not retried need not be healthy", inheriting(supervisor.Defaults{ResetAfter: time.Hour, Timeout: time.Minute, MaxRetries: policy.NoRetry}, children(service("a"))), nil},
	{"one that is retried does", inheriting(supervisor.Defaults{ResetAfter: time.Hour, Timeout: time.Minute, MaxRetries: policy.NoRetry}, children(retries(3, service("a")))), []string{"/a never_healthy"}},
	{"a supervisor does not inherit the timeout", inheriting(supervisor.Defaults{ResetAfter: time.Hour}, children(pool("p", inheriting(supervisor.Defaults{Timeout: time.Minute}, children())))), nil},

	{"all time out before they stall", inheriting(supervisor.Defaults{Timeout: time.Minute, Stall: time.Minute}, children(service("a"))), []string{"/ stall_unnoticed"}},
	{"they stall before they time out", inheriting(supervisor.Defaults{Timeout: time.Minute, Stall: time.Minute - 1}, children(service("a"))), nil},
	{"one of them does not", inheriting(supervisor.Defaults{Timeout: time.Minute, Stall: time.Second}, children(a(func(s *actor.Spec) { s.Stall = time.Minute }))), []string{"/a stall_unnoticed"}},
	{"the default is for those that stall", inheriting(supervisor.Defaults{Stall: time.Minute}, children(a(func(s *actor.Spec) { s.Timeout = time.Second }))), nil},

	{"the fourth failure of any ends the supervisor", inheriting(supervisor.Defaults{MaxRetries: 4, Backoff: second}, limited(3, 3*time.Second, service("a"))), []string{"/ retries_out_of_reach"}},
	{"it does not come in time", inheriting(supervisor.Defaults{MaxRetries: 4, Backoff: second}, limited(3, 3*time.Second-1, service("a"))), nil},
	{"or there is no retry for it", inheriting(supervisor.Defaults{MaxRetries: 3, Backoff: second}, limited(3, 3*time.Second, service("a"))), nil},
	{"one of them has said more", inheriting(supervisor.Defaults{MaxRetries: 3, Backoff: second}, limited(3, 3*time.Second, retries(4, service("a")))), []string{"/a retries_out_of_reach"}},
	{"the usual backoff is each one's own", inheriting(supervisor.Defaults{MaxRetries: 4}, limited(3, time.Minute, service("a"), every("b", time.Minute))), []string{"/a retries_out_of_reach"}},
	{"with the usual backoff nothing is certain of all", inheriting(supervisor.Defaults{MaxRetries: 4}, limited(3, time.Minute, every("b", time.Minute))), nil},
	{"one that is alone in its group", inheriting(supervisor.Defaults{MaxRetries: 4, Backoff: second}, strategy(supervisor.RestForOne,
		limited(3, 3*time.Second, retries(policy.NoRetry, service("a")), service("b")))), []string{"/b retries_out_of_reach"}},
	{"one whose siblings take time to stop", inheriting(supervisor.Defaults{MaxRetries: 4, Backoff: second}, strategy(supervisor.RestForOne,
		limited(3, 3*time.Second, service("a"), retries(policy.NoRetry, service("b"))))), nil},

	{"no pause and no limit for all", inheriting(supervisor.Defaults{Backoff: policy.NoBackoff(), MaxRetries: policy.Unlimited}, children(service("a"))), []string{"/ busy_loop"}},
	{"a limit for all", inheriting(supervisor.Defaults{Backoff: policy.NoBackoff(), MaxRetries: 3}, children(service("a"))), nil},
	{"an intensity for all", inheriting(supervisor.Defaults{Backoff: policy.NoBackoff(), MaxRetries: policy.Unlimited}, limited(3, time.Second, service("a"))), nil},
	{"each may have a limit", inheriting(supervisor.Defaults{Backoff: policy.NoBackoff()}, children(retries(3, service("a")))), nil},
	{"one of them has none", inheriting(supervisor.Defaults{Backoff: policy.NoBackoff()}, children(retries(3, service("a")), service("b"))), []string{"/b busy_loop"}},

	{"a backoff may be for others, and for supervisors", inheriting(supervisor.Defaults{Backoff: second, MaxRetries: policy.NoRetry}, children(service("a"))), nil},
	{"all that is found comes first", inheriting(supervisor.Defaults{Grace: 6 * time.Second, Timeout: time.Second, Stall: time.Second}, bounded(5*time.Second, children(
		graced("a", 7*time.Second), pool("p", inheriting(supervisor.Defaults{Grace: 6 * time.Second}, children())),
	))), []string{"/ stall_unnoticed", "/ grace_cut_short", "/a grace_cut_short", "/p grace_cut_short"}},
}

// workers is a controller in a tree: its tasks come at run time.
func workers(d supervisor.Defaults) actor.Spec {
	return controller.New(controller.Config{Name: "jobs", Workers: supervisor.Config{Defaults: d}}).Spec("")
}
