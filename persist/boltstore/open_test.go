package boltstore

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/policy"
)

func TestOptionsThatCannotBeUsedAreRefused(t *testing.T) {
	for field, o := range map[string]Options{
		"LockTimeout":   {LockTimeout: -1},
		"MaxSize":       {MaxSize: MinMaxSize - 1},
		"InlinePayload": {InlinePayload: MaxInlinePayload + 1},
		"FileMode":      {FileMode: fs.ModeSetuid | 0o600},
		"path":          {},
	} {
		path := newPath(t)
		if field == "path" {
			path = ""
		}
		_, err := File(path, o).Open(ctx)
		var bad *policy.FieldError
		if !errors.As(err, &bad) || bad.Field != field {
			t.Errorf("%s: %v", field, err)
		}
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s: there is a file", field)
		}
	}
	for _, o := range []Options{{LockTimeout: 1}, {MaxSize: -1}, {InlinePayload: -1}, {FileMode: 0o400}} {
		s, err := Open(ctx, newPath(t), o)
		if (err == nil) != (o.LockTimeout == 1) {
			t.Errorf("%+v: %v", o, err)
		}
		if err == nil {
			s.Close()
		}
	}
}

func TestAFolderIsMadeUnlessThatIsForbidden(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "jobs.db")
	if _, err := Open(ctx, path, Options{NoDirCreate: true}); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	s := open(t, path, Options{FileMode: 0o640})
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o600 != 0o600 || info.Mode().Perm()&0o007 != 0 {
		t.Fatal(info.Mode(), err)
	}
	s.Close()
}

func TestAnEmptyFileIsANewStore(t *testing.T) {
	path := newPath(t)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r := mustRead(t, open(t, path, Options{})).Recovery
	if !r.Clean || r.Next != 1 {
		t.Fatalf("%+v", r)
	}
}

// A link may lead to where no file is yet.
func TestAStoreIsMadeWhereALinkLeads(t *testing.T) {
	path, link := newPath(t), newPath(t)
	if err := os.Symlink(path, link); err != nil {
		t.Skip("no links can be made here: ", err)
	}
	s := open(t, link, Options{})
	commit(t, s, insert(1, 10))
	_, err := Open(ctx, path, Options{LockTimeout: 1})
	var locked *persist.LockedError
	if !errors.As(err, &locked) || !strings.Contains(locked.Owner, "this process") {
		t.Errorf("by its own name: %v", err)
	}
	doubt(t, s)
	settle(t, s, false)
	s.Close()
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v", err)
	}
	job(t, open(t, path, Options{}), 1)
}

func TestAFileThatIsInUseNamesItsOwner(t *testing.T) {
	path := newPath(t)
	s := open(t, path, Options{})
	_, err := File(path, Options{LockTimeout: 20 * time.Millisecond}).Open(ctx)
	var locked *persist.LockedError
	if !errors.As(err, &locked) || !strings.Contains(locked.Owner, "this process") || locked.Waited < 20*time.Millisecond {
		t.Fatalf("%v", err)
	}

	// Who waits goes on when the file is free.
	opened := make(chan error)
	go func() {
		s, err := Open(ctx, path, Options{LockTimeout: time.Minute})
		if err == nil {
			err = s.Close()
		}
		opened <- err
	}()
	s.Close()
	if err := <-opened; err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + ownerSuffix); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the owner file is still there: %v", err)
	}
}

func init() {
	roles["hold"] = func(path string) {
		s, err := Open(ctx, path, Options{})
		if err != nil {
			fmt.Println("error", err)
			return
		}
		fmt.Println("open")
		bufio.NewReader(os.Stdin).ReadString('\n')
		s.Close()
	}
}

func TestAFileThatAnotherProcessHasNamesIt(t *testing.T) {
	path := newPath(t)
	cmd := another(t, "hold", path)
	stdin, _ := cmd.StdinPipe()
	stdout, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, _ := bufio.NewReader(stdout).ReadString('\n'); line != "open\n" {
		t.Fatal(line)
	}
	_, err := Open(ctx, path, Options{LockTimeout: time.Millisecond})
	var locked *persist.LockedError
	want := fmt.Sprintf("pid %d (%s)", cmd.Process.Pid, filepath.Base(os.Args[0]))
	if !errors.As(err, &locked) || locked.Owner != want {
		t.Errorf("%v, want %s", err, want)
	}

	// Its death is the end of its lock, and what it has left is not believed.
	cmd.Process.Kill()
	stdin.Close()
	cmd.Wait()
	if o := owner(path); o != "" {
		t.Errorf("a process that is gone owns it: %s", o)
	}
	open(t, path, Options{})
}

func TestWaitingForAFileEndsWithTheContext(t *testing.T) {
	path := newPath(t)
	open(t, path, Options{})
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	_, err := Open(short, path, Options{LockTimeout: time.Hour})
	var locked *persist.LockedError
	if !errors.As(err, &locked) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
}

func TestAStoreIsCleanWhenItWasClosed(t *testing.T) {
	path := newPath(t)
	clean := func(want bool) *Store {
		t.Helper()
		s := open(t, path, Options{})
		if got := mustRead(t, s).Recovery.Clean; got != want {
			t.Fatalf("clean %v, want %v", got, want)
		}
		return s
	}
	clean(true).Close()
	clean(true).crash()
	open(t, path, Options{}).Close() // who only looks leaves it as it was
	clean(false).crash()
	clean(false).Close() // that it has crashed is not noted
	s := clean(false)
	commit(t, s, insert(1, 10))
	s.Close()
	clean(true)
}

// A crash of which it could not be noted whom it concerns is told again.
func TestACrashIsToldUntilACommitHasNotedIt(t *testing.T) {
	path := newPath(t)
	s := open(t, path, Options{})
	mustRead(t, s)
	s.crash()
	for range 2 {
		s = open(t, path, Options{})
		if mustRead(t, s).Recovery.Clean {
			t.Fatal("it is clean")
		}
		doubt(t, s)
		settle(t, s, false)
		s.Close()
	}
}

func TestAClosedStoreSaysSo(t *testing.T) {
	s := open(t, newPath(t), Options{})
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	_, commit := s.Commit(ctx, nil)
	_, recovered := s.Recover(ctx, nil)
	_, settle := s.Settle(ctx)
	_, job := s.Job(ctx, 1)
	_, payload := s.Payload(ctx, 1)
	_, past := s.Past(ctx, persist.PastQuery{})
	for i, err := range []error{
		commit, recovered, settle, job, payload, past,
		s.Check(ctx), s.Backup(ctx, &bytes.Buffer{}), s.BackupFile(ctx, newPath(t)),
	} {
		if !errors.Is(err, persist.ErrClosed) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if u := s.Usage(); u != (persist.Usage{}) {
		t.Errorf("%+v", u)
	}
	s.Stats()
}

func TestANewerFileIsRefusedAndLeft(t *testing.T) {
	path := newPath(t)
	s := open(t, path, Options{})
	if err := s.db.Update(func(tx *bbolt.Tx) error { return putFormat(tx, 7) }); err != nil {
		t.Fatal(err)
	}
	s.Close()
	before, _ := os.ReadFile(path)
	_, err := Open(ctx, path, Options{CompactOnOpen: true, CheckOnOpen: true})
	var newer *persist.FormatError
	if !errors.As(err, &newer) || newer.Format != 7 || newer.Newest != format {
		t.Fatal(err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the file has changed")
	}
	if _, err := os.Stat(path + ownerSuffix); err == nil {
		t.Error("there is an owner file")
	}
}

func TestMigrationsLeadFromEachFormatToTheNext(t *testing.T) {
	path := newPath(t)
	s, err := ladder{}.open(ctx, path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	sample(t, s)
	want := mustRead(t, s)
	s.Close()

	// The second fails at first: then the file has the format before it, and nothing of it.
	var made []string
	broken := true
	l := ladder{
		func(tx *bbolt.Tx) error {
			made = append(made, "to 2")
			_, err := tx.CreateBucket([]byte("two"))
			return err
		},
		func(tx *bbolt.Tx) error {
			made = append(made, "to 3")
			if err := tx.DeleteBucket([]byte("two")); err != nil {
				return err
			}
			if broken {
				return errors.New("broken")
			}
			return nil
		},
	}
	if _, err := l.open(ctx, path, Options{}); err == nil || !strings.Contains(err.Error(), "to format 3: broken") {
		t.Fatal(err)
	}
	broken = false
	s, err = l.open(ctx, path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := mustRead(t, s); !reflect.DeepEqual(got.All, want.All) {
		t.Error("jobs have changed")
	}
	if want := []string{"to 2", "to 3", "to 3"}; !reflect.DeepEqual(made, want) {
		t.Errorf("made %v, want %v", made, want)
	}
	s.Close()

	// An older version keeps off, and the same one has nothing to do.
	var newer *persist.FormatError
	if _, err := Open(ctx, path, Options{}); !errors.As(err, &newer) || newer.Format != 3 {
		t.Fatal(err)
	}
	s, err = l.open(ctx, path, Options{})
	if err != nil || len(made) != 3 {
		t.Fatal(err, made)
	}
	check(t, s)
	s.Close()

	// A new file is made as it is now.
	s, err = l.open(ctx, newPath(t), Options{})
	if err != nil || len(made) != 3 {
		t.Fatal(err, made)
	}
	s.Close()
}

func TestTheFormatIsThatOfTheMigrations(t *testing.T) {
	if migrations.newest() != format {
		t.Fatalf("%d migrations lead to format %d, and it is %d", len(migrations), migrations.newest(), format)
	}
}

var update = flag.Bool("update", false, "write the golden file of the present format")

// goldens make what is in the golden file of each format, by its number.
var goldens = map[int]func(testing.TB, *Store){
	1: sample,
	2: func(t testing.TB, s *Store) { sample(t, s); sheets(t, s) },
}

// A file of each format that there ever was is opened with all of its jobs, and used.
func TestGoldenFiles(t *testing.T) {
	name := func(f int) string { return filepath.Join("testdata", fmt.Sprintf("format-%d.db", f)) }
	if *update {
		s := open(t, newPath(t), Options{})
		goldens[format](t, s)
		if err := errors.Join(s.compact(ctx), s.BackupFile(ctx, name(format))); err != nil {
			t.Fatal(err)
		}
	}
	for f := 1; f <= format; f++ {
		t.Run(fmt.Sprint(f), func(t *testing.T) {
			fresh := open(t, newPath(t), Options{})
			goldens[f](t, fresh)
			golden, err := os.ReadFile(name(f))
			if err != nil {
				t.Fatal(err)
			}
			path := newPath(t)
			if err := os.WriteFile(path, golden, 0o600); err != nil {
				t.Fatal(err)
			}

			// Versions before keep off.
			for older := range f - 1 {
				var newer *persist.FormatError
				if _, err := migrations[:older].open(ctx, path, Options{}); !errors.As(err, &newer) || newer.Format != uint64(f) {
					t.Errorf("a version that knows format %d: %v", older+1, err)
				}
			}

			s := open(t, path, Options{CheckOnOpen: true})
			if got, want := mustRead(t, s), mustRead(t, fresh); !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
			if found, err := formatOf(s.db, path); found != format || err != nil {
				t.Errorf("now it has format %d, %v", found, err)
			}
			// What is done to it is as if it had been made now.
			for _, s := range []*Store{s, fresh} {
				commit(t, s, insert(1000, 10), insert(1001, 20), resolve(1001, persist.Failed), resolve(10, persist.Failed),
					resolve(61, persist.Failed), prune(persist.Failed, 5), insert(1002, 10))
				check(t, s)
			}
			if got, want := mustRead(t, s), mustRead(t, fresh); !reflect.DeepEqual(got.All, want.All) {
				t.Errorf("got %+v, want %+v", got.All, want.All)
			}
		})
	}
}
