package archtest

import "testing"

// modulePath is the prefix of every import of ours.
const modulePath = "github.com/taskvisor/taskvisor"

// backoffModule is the one third-party module that the supervision runtime needs.
const backoffModule = "github.com/cenkalti/backoff/v4"

// imports is the import table: what each package may depend on besides the
// standard library. Orders go down the table and never up, so a package names only
// packages above it. Test files are free: they may look at anything.
var imports = []importRow{
	{
		pkg: "internal/...", reason: "anything may import it, so it imports nothing of ours",
	},
	{
		pkg: ".", reason: "the front page of the documentation, without code",
	},
	{
		pkg: "policy", ours: []string{"internal/label"}, modules: []string{backoffModule},
		reason: "pure decisions; backoff/v4 is the interface of a delay",
	},
	{
		pkg: "events", ours: []string{"policy", "internal/label", "internal/origin"},
		reason: "the vocabulary speaks of verdicts and must not know who publishes it",
	},
	{
		pkg: "actor", ours: []string{"policy", "events", "internal/label", "internal/origin"}, modules: []string{backoffModule},
		reason: "one task's life; *backoff.PermanentError is part of what a task may return",
	},
	{
		pkg: "actor/tasks", ours: []string{"actor", "policy", "events"},
		reason: "ready-made tasks use what any user's task uses",
	},
	{
		pkg: "supervisor", ours: []string{"policy", "events", "actor", "actor/...", "internal/label"},
		reason: "the family stands on all of the above and on no third party",
	},
	{
		pkg: "supervisor/health", ours: []string{"policy", "events", "supervisor", "internal/label"},
		reason: "probes are answered from a listing, which speaks of states and reasons",
	},
	{
		pkg: "supervisor/inspect", ours: []string{"policy", "events", "actor", "supervisor", "internal/label"},
		reason: "what settings amount to is reckoned from a configuration and a listing",
	},
	{
		pkg: "supervisor/systemd", ours: []string{"policy", "events", "actor", "supervisor", "supervisor/health"},
		modules: []string{"github.com/coreos/go-systemd/v22"},
		reason:  "a task that looks at the tree around it; go-systemd is the protocol",
	},
	{
		pkg: "supervisor/supervisortest", ours: []string{"policy", "events", "actor", "supervisor", "supervisor/inspect", "subscribers/recorder"},
		reason: "for tests of a user's tree: it runs one, records it, and has it fail as explained; no program imports it",
	},
	{
		pkg: "controller", ours: []string{"policy", "events", "actor", "supervisor", "internal/label", "internal/register"},
		reason: "a door to the supervisor; it and persist never meet",
	},
	{
		pkg: "persist", ours: []string{"policy", "events", "actor", "supervisor", "internal/label", "internal/register"},
		modules: []string{backoffModule, "github.com/go-json-experiment/json"},
		reason:  "a door to the supervisor that knows no database; it and controller never meet; inputs are JSON",
	},
	{
		pkg: "persist/memstore", ours: []string{"persist"},
		reason: "a store needs the vocabulary of jobs and nothing else",
	},
	{
		pkg: "persist/storetest", ours: []string{"persist", "persist/memstore"},
		reason: "for tests of a store: it plays the subject against the reference; no program imports it",
	},
	{
		pkg: "persist/boltstore", ours: []string{"policy", "persist"},
		modules: []string{"go.etcd.io/bbolt", "google.golang.org/protobuf"},
		reason:  "a store is the verbs of persist in a file; of protobuf only the wire format",
	},
	{
		pkg: "persist/persisttest", ours: []string{"policy", "events", "persist", "persist/memstore", "subscribers/recorder"},
		reason: "for tests of a user's jobs: it runs a queue in memory, and records it; no program imports it",
	},
	{
		pkg: "subscribers/console", ours: []string{"events", "policy"},
		reason: "a sink reads events, whose exits are policy's",
	},
	{
		pkg: "subscribers/recorder", ours: []string{"events"},
		reason: "a sink reads events",
	},
	{
		pkg: "subscribers/internal/report", ours: []string{"events", "policy"},
		reason: "what the loggers have in common reads events and writes nothing",
	},
	{
		pkg: "subscribers/sloglog", ours: []string{"events", "policy", "subscribers/internal/report"},
		reason: "a sink reads events; what a log is told is decided in one place",
	},
	{
		pkg: "subscribers/zaplog", ours: []string{"events", "policy", "subscribers/internal/report"}, modules: []string{"go.uber.org/zap"},
		reason: "as sloglog, for zap",
	},
	{
		pkg: "subscribers/oteltrace", ours: []string{"actor", "events", "policy"}, modules: []string{"go.opentelemetry.io/otel"},
		reason: "it stands around attempts and reads their results; OpenTelemetry's API, not its SDK",
	},
	{
		pkg: "subscribers/prom", ours: []string{"events", "policy"}, modules: []string{"github.com/prometheus/client_golang"},
		reason: "a sink that also reads figures; a source is anything with events.Source, so it knows no supervisor",
	},
	{
		pkg: "examples/...", ours: []string{"..."}, modules: []string{"..."},
		reason: "examples show everything, and nothing imports them",
	},
}

// goroutines lists the files that may start a goroutine. Everything else that must
// run hangs a spec on a supervisor, so that it is named, stopped and accounted for.
var goroutines = []fileRow{
	{"actor/actor.go", "an actor is a goroutine"},
	{"actor/helpers.go", "what runs inside an attempt and must end with it"},
	{"events/subscription.go", "each subscriber reads its place in the stream on its own"},
	{"persist/digests.go", "a hash of each payload, on another processor; who submits waits for it"},
	{"persist/storetest/reads.go", "readers look on while the test commits"},
	{"supervisor/main.go", "signals arrive while main waits for the tree"},
	{"persist/persisttest/life.go", "a queue runs beside the test that looks at it"},
	{"supervisor/supervisortest/tree.go", "a tree runs beside the test that looks at it"},
}

// goroutineExempt lists the packages whose goroutines are their own affair.
var goroutineExempt = []string{
	"examples/...", // an example may show a user's own goroutine
}

// pure lists the packages whose answers depend on their arguments alone: they are
// told the time, and they have nothing to say to a log or to the process.
var pure = []string{"policy", "internal/label", "internal/origin"}

func TestImportsFollowTheTable(t *testing.T) {
	report(t, checkImports(module(t), imports))
}

func TestGoroutinesStartInTheListedFilesOnly(t *testing.T) {
	report(t, checkGoroutines(module(t), goroutines, goroutineExempt))
}

func TestPurePackagesReadNoClockAndNoProcess(t *testing.T) {
	report(t, checkPure(module(t), pure))
}

func TestNothingSleepsOutsideABubble(t *testing.T) {
	report(t, checkSleeps(module(t)))
}

func TestEveryRowSaysWhy(t *testing.T) {
	for _, row := range imports {
		if row.reason == "" {
			t.Errorf("import table: the row of %s has no reason", row.pkg)
		}
	}
	for _, row := range goroutines {
		if row.reason == "" {
			t.Errorf("goroutine table: the row of %s has no reason", row.path)
		}
	}
}

func report(t *testing.T, findings []string) {
	t.Helper()
	for _, finding := range findings {
		t.Error(finding)
	}
}
