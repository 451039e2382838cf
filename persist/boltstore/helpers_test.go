package boltstore

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/taskvisor/taskvisor/persist"
)

var ctx = context.Background()

// roles are what this test program does instead of testing when a test starts it again.
var roles = map[string]func(path string){}

const roleVariable, pathVariable = "BOLTSTORE_TEST_ROLE", "BOLTSTORE_TEST_PATH"

func TestMain(m *testing.M) {
	if role := roles[os.Getenv(roleVariable)]; role != nil {
		role(os.Getenv(pathVariable))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// another returns this program in a role.
func another(t *testing.T, role, path string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), roleVariable+"="+role, pathVariable+"="+path)
	cmd.Stderr = os.Stderr
	return cmd
}

func newPath(t testing.TB) string { return filepath.Join(t.TempDir(), "jobs.db") }

// open opens a file in which two jobs share a value already, so that much is shared in small tests.
func open(t testing.TB, path string, opts Options) *Store {
	t.Helper()
	opts.sheets = cmp.Or(opts.sheets, 2)
	s, err := Open(ctx, path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func commit(t testing.TB, s *Store, steps ...persist.Step) {
	t.Helper()
	stale, err := s.Commit(ctx, steps)
	if err != nil || len(stale) > 0 {
		t.Fatalf("stale %v, %v", stale, err)
	}
}

func check(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Check(ctx); err != nil {
		t.Fatal(err)
	}
}

func insert(id persist.ID, payload int) persist.Step {
	r := benchRecord(id)
	r.Payload = slices.Repeat([]byte{byte(id)}, payload)
	return persist.Step{Verb: persist.Insert, Record: r}
}

func resolve(id persist.ID, kind persist.Ending) persist.Step {
	s := benchEnd(id)
	s.End.Kind = kind
	return s
}

func amend(id persist.ID, fence uint64) persist.Step {
	return persist.Step{Verb: persist.Amend, ID: id, State: persist.State{Fence: fence, Attempts: 1}}
}

func prune(kind persist.Ending, n int) persist.Step {
	return persist.Step{Verb: persist.Prune, Kind: kind, Count: n}
}

// sample commits some of everything.
func sample(t testing.TB, s *Store) {
	t.Helper()
	var steps []persist.Step
	for id := persist.ID(1); id <= 60; id++ {
		steps = append(steps, insert(id, int(id)*5))
	}
	commit(t, s, append(steps, insert(61, 10_000), insert(62, 20_000), insert(63, 9000))...)
	commit(t, s, amend(2, 1), amend(4, 7), resolve(3, persist.Completed), resolve(5, persist.Failed),
		resolve(6, persist.DeadLetter), resolve(7, persist.DeadLetter), resolve(63, persist.Completed))
	commit(t, s, persist.Step{Verb: persist.Revive, ID: 7, State: persist.State{Fence: 2}},
		resolve(8, persist.Completed), prune(persist.Completed, 1))
}

// until commits inserts until one is refused.
func until(s *Store, next persist.ID) (persist.ID, error) {
	for {
		if _, err := s.Commit(ctx, []persist.Step{insert(next, 3000), insert(next+1, 30_000)}); err != nil {
			return next, err
		}
		next += 2
	}
}

// contents is all that a store tells.
type contents struct {
	Recovery persist.Recovery
	Live     []persist.Job
	All      map[persist.ID]*persist.Job // payloads included
	Past     []*persist.Job
}

// read returns all that a store tells, or its first error.
func read(s *Store) (c contents, err error) {
	c.All = map[persist.ID]*persist.Job{}
	c.Recovery, err = s.Recover(ctx, func(j *persist.Job) error {
		c.Live = append(c.Live, *j)
		return nil
	})
	if err != nil {
		return c, err
	}
	if c.Past, err = s.Past(ctx, persist.PastQuery{Limit: 1000}); err != nil {
		return c, err
	}
	for _, j := range c.Past {
		if c.All[j.ID], err = s.Job(ctx, j.ID); err != nil {
			return c, err
		}
	}
	for _, j := range c.Live {
		if c.All[j.ID], err = s.Job(ctx, j.ID); err != nil {
			return c, err
		}
	}
	return c, nil
}

func mustRead(t testing.TB, s *Store) contents {
	t.Helper()
	c, err := read(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
