package supervisortest

import (
	"context"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/actor/tasks"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// town has a bit of everything.
func town() supervisor.Config {
	slow := actor.Func(func(ctx context.Context) error {
		select {
		case <-time.After(20 * time.Second):
		case <-ctx.Done():
			return nil
		}
		actor.Ready(ctx)
		<-ctx.Done()
		<-time.After(5 * time.Second)
		return nil
	})
	return app(
		family("db", supervisor.RestForOne,
			actor.Spec{Name: "migrate", Task: actor.Func(func(context.Context) error { return nil }), AwaitReady: true},
			actor.Spec{Name: "pool", Task: slow, AwaitReady: true},
			actor.Spec{Name: "cache", Task: actor.Func(serve)},
			actor.Spec{Name: "warm-up", Task: actor.Func(serve), Restart: policy.Never},
		),
		family("core", supervisor.OneForAll,
			actor.Spec{Name: "a", Task: actor.Func(serve), AwaitReady: true},
			family("nested", supervisor.OneForAll,
				actor.Spec{Name: "x", Task: actor.Func(serve), MaxRetries: policy.NoRetry, OnGiveUp: policy.GiveUpEscalate},
				actor.Spec{Name: "y", Task: actor.Func(serve), Restart: policy.Never, OnGiveUp: policy.GiveUpEscalate},
			),
			actor.Spec{Name: "b", Task: slow},
		),
		// These come back because their supervisor ends with them.
		ends("batch", func(cfg *supervisor.Config) { cfg.EndWhenEmpty = true },
			with(on("last", serve), never),
		),
		ends("queue", func(cfg *supervisor.Config) { cfg.EndWhenEmpty = true },
			with(on("last", serve), noRetry),
		),
		ends("leader", func(cfg *supervisor.Config) { cfg.AutoShutdown = supervisor.AutoShutdownAny },
			with(on("lead", serve), func(s *actor.Spec) { s.Significant, s.MaxRetries = true, policy.NoRetry }), on("aide", serve),
		),
		ends("brittle", func(cfg *supervisor.Config) { cfg.Intensity = policy.Intensity{Within: time.Minute} },
			on("glass", serve), on("cup", serve),
		),
		// A member that has completed starts again with its group. One that is meant to run
		// once ends with it, and so does what pauses below.
		family("shift", supervisor.RestForOne,
			on("boss", serve),
			on("brief", func(context.Context) error { return nil }),
			with(family("crew", supervisor.OneForOne,
				actor.Spec{Name: "rota", Restart: policy.Always, Every: time.Minute, Task: actor.Func(func(context.Context) error { return nil })},
			), never),
		),
		actor.Spec{Name: "poll", Task: tasks.Every(time.Second, func(context.Context) error { return nil }), AwaitReady: true},
		actor.Spec{Name: "repeat", Restart: policy.Always, Every: 7 * time.Second, Task: actor.Func(func(context.Context) error { return nil })},
		actor.Spec{Name: "busy", Restart: policy.Always, Every: 10 * time.Millisecond, Task: actor.Func(func(context.Context) error { return nil })},
		actor.Spec{Name: "once", Restart: policy.Never, Task: actor.Func(serve)},
		actor.Spec{Name: "http", Task: actor.Func(serve), Backoff: policy.Constant(30 * time.Second)},
	)
}

// ends is a supervisor that ends for some reason.
func ends(name string, when func(*supervisor.Config), children ...actor.Spec) actor.Spec {
	cfg := supervisor.Config{Name: name, Children: children}
	when(&cfg)
	return supervisor.New(cfg).Spec("")
}

func TestATreeThatHealsPassesTheDrill(t *testing.T) { Drill(t, town) }

func TestTheDrillSaysWhatDoesNotHeal(t *testing.T) {
	quit := func(context.Context) error { return actor.Fatal(errBoom) }
	for _, row := range []struct {
		sentence string
		hit      string
		cfg      func(gate chan struct{}) supervisor.Config
		says     []string
	}{
		{"a task without retries", "/app/db", func(chan struct{}) supervisor.Config {
			return app(with(on("db", serve), noRetry))
		}, []string{"after a failure of /app/db:", "/app was ready and is not", "/app/db was ready and is not", "failed", "failed by a drill", "inspect.Explain said", "gives up /app/db"}},

		{"a supervisor without retries, though its task is", "/app/db/pool", func(chan struct{}) supervisor.Config {
			db := ends("db", func(cfg *supervisor.Config) { cfg.EndWhenEmpty = true }, with(on("pool", serve), never))
			db.MaxRetries = policy.NoRetry
			return app(db, on("http", serve))
		}, []string{"/app/db was ready and is not", "/app/db/pool is not there any more"}},

		{"one that refuses to run twice", "/app/db", func(chan struct{}) supervisor.Config {
			return app(on("db", serve, quit))
		}, []string{"/app/db was ready and is not", "/app/db  failed", "attempt 2, 1 restart, error \"boom\""}},

		{"one that falls over as soon as it is used", "/app/db", func(chan struct{}) supervisor.Config {
			return app(on("db", serve, func(ctx context.Context) error {
				select {
				case <-time.After(2 * time.Second):
					return actor.Fatal(errBoom)
				case <-ctx.Done():
					return nil
				}
			}))
		}, []string{"/app/db was ready and is not", "/app/db  failed", "attempt 2, 1 restart, error \"boom\""}},

		{"one that is never ready again", "/app/db", func(chan struct{}) supervisor.Config {
			quiet := func(ctx context.Context) error { <-ctx.Done(); return nil }
			return app(with(on("db", serve, quiet), awaited))
		}, []string{"/app/db was ready and is not", "attempt_ended", "timed_out"}},

		{"one that ignores its context, and where", "/app/db", func(gate chan struct{}) supervisor.Config {
			return app(on("db", deaf(gate)))
		}, []string{
			"/app/db was ready and is not", "stuck", "/app/db is stuck:", "waitDeaf", "the last events:",
			"the tree did not end cleanly", "/app/db", "waitDeaf",
		}},

		{"a sibling that does, and so holds up its group", "/app/db/pool", func(gate chan struct{}) supervisor.Config {
			return app(family("db", supervisor.OneForAll, on("pool", serve), on("cache", deaf(gate))))
		}, []string{"/app/db was ready and is not", "/app/db/cache was ready and is not", "stuck", "waitDeaf"}},

		{"a goroutine that a task leaves behind, and whose", "/app/db", func(gate chan struct{}) supervisor.Config {
			return app(on("db", func(ctx context.Context) error {
				go waitDeaf(gate)
				return serve(ctx)
			}))
		}, []string{"/app/db has left behind 2 goroutines", "waitDeaf"}},

		{"siblings that fail with it though nothing says so", "/app/db", func(chan struct{}) supervisor.Config {
			broken := make(chan struct{}, 1)
			db := func(ctx context.Context) error {
				<-ctx.Done()
				if context.Cause(ctx) == ErrDrill { //nolint:errorlint // the cause itself
					broken <- struct{}{}
				}
				return nil
			}
			http := func(ctx context.Context) error {
				select {
				case <-broken:
					return errBoom
				case <-ctx.Done():
					return nil
				}
			}
			return app(on("db", db), on("http", http))
		}, []string{"/app/http was not concerned, but:", "attempt_ended", "boom"}},

		{"a failure that ends the tree", "/app/db", func(chan struct{}) supervisor.Config {
			return app(with(on("db", serve), func(s *actor.Spec) { s.OnGiveUp, s.MaxRetries = policy.GiveUpEscalate, policy.NoRetry }))
		}, []string{"it has ended the tree: supervisor /app: escalated by /app/db: failed by a drill"}},

		{"an intensity that allows no restart", "/app/db", func(chan struct{}) supervisor.Config {
			cfg := app(on("db", serve))
			cfg.Intensity = policy.Intensity{Within: time.Minute}
			return cfg
		}, []string{"it has ended the tree", "more than 0 restarts"}},

		{"a supervisor that is full, which cannot be failed", "/app/jobs", func(chan struct{}) supervisor.Config {
			jobs := supervisor.New(supervisor.Config{Name: "jobs", Limit: 1, Children: []actor.Spec{on("boss", func(ctx context.Context) error {
				if _, err := supervisor.FromContext(ctx).Start(ctx, on("job", serve)); err != nil {
					return err
				}
				return serve(ctx)
			})}})
			return app(jobs.Spec(""))
		}, []string{"/app/jobs cannot be made to fail, which takes one more child", "limit of dynamic children"}},

		{"a node that was not there this time", "/app/gone", func(chan struct{}) supervisor.Config {
			return app()
		}, []string{"there is no /app/gone this time"}},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			inBubble(t, func(t *testing.T, gate chan struct{}) {
				expect(t, verdict(func(t testing.TB) { drill(t, row.cfg(gate), row.hit, options{}) }), row.says...)
			})
		})
	}
}

func TestWhatIsNotDrilled(t *testing.T) {
	jobless := func(context.Context) error { return nil }
	broken := func(context.Context) error { return errBoom }
	cfg := func() supervisor.Config {
		return app(
			on("http", serve),
			with(on("frail", serve), noRetry), // which the drill is to tell
			with(on("once", serve), never),
			with(on("last", serve), func(s *actor.Spec) { s.Restart, s.OnGiveUp = policy.Never, policy.GiveUpEscalate }),
			on("done", jobless),
			with(on("down", broken), func(s *actor.Spec) { s.Optional, s.MaxRetries = true, policy.NoRetry }),
			family("db", supervisor.OneForOne,
				with(on("pool", serve), func(s *actor.Spec) { s.Restart, s.OnGiveUp = policy.Never, policy.GiveUpEscalate }),
				on("cache", serve),
			),
			ends("batch", func(cfg *supervisor.Config) { cfg.EndWhenEmpty = true }, with(on("only", serve), never)),
			ends("pair", func(cfg *supervisor.Config) { cfg.EndWhenEmpty = true },
				with(on("one", serve), never), with(on("two", serve), never),
			),
			ends("jury", func(cfg *supervisor.Config) { cfg.AutoShutdown = supervisor.AutoShutdownAll },
				with(on("juror", func(ctx context.Context) error {
					_, _ = supervisor.FromContext(ctx).Start(ctx, with(on("stand-in", serve), func(s *actor.Spec) { s.Significant = true }))
					return serve(ctx)
				}), func(s *actor.Spec) { s.Restart, s.Significant = policy.Never, true }),
			),
		)
	}
	inBubble(t, func(t *testing.T, _ chan struct{}) {
		got := map[string]string{}
		expect(t, verdict(func(t testing.TB) {
			o := options{}
			Skip("/app/http", "db/cache", "/app/db/chache")(&o)
			for _, target := range Start(t, cfg()).targets(o.spared) {
				got[target.path] = target.spared
			}
		}), "there is no /app/db/chache that could be skipped")
		for path, want := range map[string]string{
			"/app/http":       "is to be skipped",
			"/app/frail":      "",
			"/app/once":       "has Restart: never, and its failure is for good",
			"/app/last":       "has Restart: never, and its failure ends the tree",
			"/app/done":       "has completed",
			"/app/down":       "is failed before anything has failed",
			"/app/db":         "",
			"/app/db/pool":    "", // its failure is its supervisor's, which comes back with it
			"/app/db/cache":   "is to be skipped",
			"/app/batch":      "",
			"/app/batch/only": "", // so it is that of the last one
			"/app/pair":       "",
			"/app/pair/one":   "has Restart: never, and its failure is for good",
			"/app/pair/two":   "has Restart: never, and its failure is for good",
			"/app/jury":       "",
			"/app/jury/juror": "has Restart: never, and its failure is for good", // while there is another significant one
		} {
			if spared, there := got[path]; !there || spared != want {
				t.Errorf("%s: %q, want %q", path, spared, want)
			}
			delete(got, path)
		}
		if len(got) > 0 {
			t.Errorf("and there is more: %v", got)
		}
	})
}

func TestATreeThatEndsByItselfHasNothingToDrill(t *testing.T) {
	inBubble(t, func(t *testing.T, _ chan struct{}) {
		cfg := app(on("job", func(context.Context) error { return nil }))
		cfg.EndWhenEmpty = true
		expect(t, verdict(func(t testing.TB) { Start(t, cfg).targets(nil) }),
			"nothing can be failed in a tree that ends by itself")
	})
}

func TestPatienceBoundsTheTimeToHeal(t *testing.T) {
	cfg := func() supervisor.Config {
		return app(with(on("db", serve), func(s *actor.Spec) { s.Backoff = policy.Constant(20 * time.Minute) }))
	}
	inBubble(t, func(t *testing.T, _ chan struct{}) {
		expect(t, verdict(func(t testing.TB) { drill(t, cfg(), "/app/db", options{}) }), "/app/db was ready and is not", "backing_off")
		expect(t, verdict(func(t testing.TB) { drill(t, cfg(), "/app/db", options{patience: time.Hour}) }))
	})
}

// A failing drill, seen from outside: the next subtest runs though one has left a
// goroutine in its bubble, over which that panics.
func TestAFailingDrill(t *testing.T) {
	mayFail(t)
	Drill(t, func() supervisor.Config {
		gate := make(chan struct{})
		return app(
			on("leak", func(ctx context.Context) error {
				if at, _ := actor.FromContext(ctx); at.Attempt > 1 {
					go waitDeaf(gate)
				}
				return serve(ctx)
			}),
			on("deaf", func(ctx context.Context) error {
				<-ctx.Done()
				if context.Cause(ctx) == ErrDrill { //nolint:errorlint // the cause itself
					<-gate
				}
				return nil
			}),
			on("fine", serve),
			with(on("once", serve), never),
		)
	}, Patience(time.Minute))
}

func TestAFailingDrillFailsWhatItShouldAndRunsTheRest(t *testing.T) {
	t.Parallel()
	out := inProcess(t, "TestAFailingDrill")
	for _, words := range [][]string{
		{"/app/leak has left behind 1 goroutine at", "waitDeaf", "deadlock: main bubble goroutine has exited"},
		{"/app/deaf was ready and is not", "/app/deaf is stuck", "deadlock: main bubble goroutine has exited"},
		{"--- FAIL: TestAFailingDrill/app/leak"},
		{"--- FAIL: TestAFailingDrill/app/deaf"},
		{"--- PASS: TestAFailingDrill/app/fine"},
		{"--- SKIP: TestAFailingDrill/app/once"},
	} {
		expect(t, out, words...)
	}
}
