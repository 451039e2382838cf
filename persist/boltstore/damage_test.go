package boltstore

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/taskvisor/taskvisor/persist"
)

// patient is the bytes of a store with some of everything, and what it tells.
func patient(t *testing.T) ([]byte, contents) {
	t.Helper()
	s := open(t, newPath(t), Options{})
	sample(t, s)
	path := newPath(t)
	if err := s.BackupFile(ctx, path); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copied := open(t, path, Options{})
	c := mustRead(t, copied)
	copied.Close()
	return whole, c
}

// examine opens a file that may be damaged, and reads it all. What it tells is right, or a
// typed error; and then the file is as it was.
func examine(t *testing.T, name string, b []byte, want contents) (failed bool) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "jobs.db")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(path)
	s, err := Open(ctx, path, Options{})
	if err == nil {
		var got contents
		if got, err = read(s); err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%s: it tells something else", name)
		}
		if checked := s.Check(ctx); err != nil && checked == nil {
			t.Errorf("%s: it is damaged (%v), and Check finds nothing", name, err)
		}
		s.crash()
		if err != nil {
			// A part of it may have been good enough to use. Then it was.
			b = nil
		}
	}
	if err == nil {
		return false
	}
	var corrupt *persist.CorruptError
	if !errors.As(err, &corrupt) || corrupt.Path != path {
		t.Errorf("%s: %v", name, err)
	}
	if after, _ := os.ReadFile(path); b != nil && !bytes.Equal(after, b) {
		t.Errorf("%s: the file was changed", name)
	}
	if _, err := os.Stat(path + ownerSuffix); err == nil {
		t.Errorf("%s: there is an owner file", name)
	}
	return true
}

func TestAFileThatIsNoStoreIsRefused(t *testing.T) {
	for name, b := range map[string][]byte{
		"a byte":         {1},
		"text":           bytes.Repeat([]byte("jobs\n"), 5000),
		"zeros":          make([]byte, 64<<10),
		"a page of ones": bytes.Repeat([]byte{0xff}, 4096),
	} {
		if !examine(t, name, b, contents{}) {
			t.Errorf("%s: it was opened", name)
		}
	}
	t.Run("a bbolt file of others", func(t *testing.T) {
		path := newPath(t)
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("theirs")); return err })
		db.Close()
		b, _ := os.ReadFile(path)
		if !examine(t, "theirs", b, contents{}) {
			t.Error("it was opened")
		}
	})
	t.Run("a folder", func(t *testing.T) {
		if s, err := Open(ctx, t.TempDir(), Options{}); err == nil {
			s.Close()
			t.Error("it was opened")
		}
	})
}

// A file of bbolt with a list of its free pages is what other programs leave.
func TestAListOfFreePagesIsLookedAt(t *testing.T) {
	whole, want := patient(t)
	path := newPath(t)
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(path, 0o600, nil) // writes the list
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	b, _ := os.ReadFile(path)
	if examine(t, "with a list", b, want) {
		t.Fatal("it is not damaged")
	}

	// A list that names a page in use would have it overwritten.
	for at := 2 * os.Getpagesize(); at < len(b); at += os.Getpagesize() {
		if p := b[at : at+os.Getpagesize()]; ne.Uint16(p[8:]) == freelistPage && ne.Uint16(p[10:]) > 0 {
			c := bytes.Clone(b)
			for _, id := range []uint64{0, 1, 2, 3, 5, 8, 13, 21, 34, 1 << 40} {
				ne.PutUint64(c[at+pageHeader:], id)
				examine(t, "with another list", c, want)
			}
		}
	}
}

func TestATruncatedFileIsFoundOut(t *testing.T) {
	whole, want := patient(t)
	for n := 1; n < len(whole); n += 509 {
		if !examine(t, "truncated", whole[:n], want) {
			t.Errorf("%d of %d bytes are enough", n, len(whole))
		}
	}
}

func TestAPageOfZerosIsFoundOut(t *testing.T) {
	whole, want := patient(t)
	page := os.Getpagesize()
	found := 0
	for at := 0; at < len(whole); at += page {
		b := bytes.Clone(whole)
		clear(b[at : at+page])
		if examine(t, "with a page of zeros", b, want) {
			found++
		}
	}
	if found < 10 {
		t.Errorf("only %d pages are looked at", found)
	}
	// One description is enough, and without both there is nothing.
	b := bytes.Clone(whole)
	clear(b[:2*page])
	if !examine(t, "without descriptions", b, want) {
		t.Error("it was opened")
	}
}

// With one description a file is whole, and may be an older one.
func TestADescriptionThatIsDamagedIsFoundByCheck(t *testing.T) {
	for i := range int64(2) {
		path := newPath(t)
		s := open(t, path, Options{})
		sample(t, s)
		check(t, s)
		if _, err := s.file.WriteAt([]byte{0xff}, i*int64(os.Getpagesize())+pageHeader+metaSize-8); err != nil {
			t.Fatal(err)
		}
		var corrupt *persist.CorruptError
		if err := s.Check(ctx); !errors.As(err, &corrupt) {
			t.Errorf("description %d: %v", i, err)
		}
		s.crash()
		if _, err := Open(ctx, path, Options{CheckOnOpen: true}); !errors.As(err, &corrupt) {
			t.Errorf("description %d, opened: %v", i, err)
		}
		open(t, path, Options{}) // which can be used
	}
}

func TestBytesThatHaveChangedAreFoundOut(t *testing.T) {
	t.Parallel()
	whole, want := patient(t)
	seed := uint64(20260101)
	rnd := rand.New(rand.NewPCG(seed, 0))
	rounds := 400
	if testing.Short() {
		rounds = 100
	}
	found := 0
	for i := range rounds {
		b := bytes.Clone(whole)
		// Both descriptions have checksums of bbolt, and are of different moments.
		at := 2*os.Getpagesize() + rnd.IntN(len(b)-2*os.Getpagesize())
		if i%3 == 0 { // the heads of pages and what follows them are more delicate
			at = at/os.Getpagesize()*os.Getpagesize() + rnd.IntN(200)
		}
		old := b[at]
		if b[at] = byte(rnd.Uint32()); b[at] == old {
			continue
		}
		if examine(t, "with a byte changed", b, want) {
			found++
		}
		if t.Failed() {
			t.Fatalf("seed %d, round %d: byte %d from %#x to %#x", seed, i, at, old, b[at])
		}
	}
	t.Logf("%d of %d changes were found; the others were in free pages", found, rounds)
}

// A page that was exchanged for an older one of its kind is in order by itself.
func TestJobsThatHaveVanishedAreMissed(t *testing.T) {
	path := newPath(t)
	s := open(t, path, Options{})
	sample(t, s)
	for _, vanish := range []func(tx *bbolt.Tx) error{
		func(tx *bbolt.Tx) error {
			c := tx.Bucket(bucketNames[jobs]).Cursor()
			c.Seek((&idKey{}).set(20)) // the sheet that has it
			return c.Delete()
		},
		func(tx *bbolt.Tx) error { return tx.Bucket(bucketNames[states]).Delete((&idKey{}).set(5)) },
		func(tx *bbolt.Tx) error {
			return tx.Bucket(bucketNames[jobs]).Put((&idKey{}).set(80), seal(nil, 0, jobs, (&idKey{}).set(80)))
		},
	} {
		tx, err := s.db.Begin(true)
		if err != nil {
			t.Fatal(err)
		}
		if err := vanish(tx); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		var corrupt *persist.CorruptError
		if _, err := s.Recover(ctx, func(*persist.Job) error { return nil }); !errors.As(err, &corrupt) {
			t.Errorf("%v", err)
		}
		if err := s.Check(ctx); !errors.As(err, &corrupt) {
			t.Errorf("%v", err)
		}
		s.crash()
		os.Remove(path)
		s = open(t, path, Options{})
		sample(t, s)
	}
}

func FuzzInspect(f *testing.F) {
	path := newPath(f)
	s, err := Open(ctx, path, Options{})
	if err != nil {
		f.Fatal(err)
	}
	commit(f, s, insert(1, 10), insert(2, 5000), resolve(1, persist.Completed))
	small := newPath(f)
	if err := s.BackupFile(ctx, small); err != nil {
		f.Fatal(err)
	}
	s.Close()
	whole, _ := os.ReadFile(small)
	f.Add(whole)
	f.Add(whole[:9000])
	f.Fuzz(func(t *testing.T, b []byte) {
		inspect(bytes.NewReader(b), int64(len(b)))
	})
}

// Pages behind the new end of a file that somebody has cut off are faults.
func TestAFileThatIsCutOffWhileItIsOpenIsAnError(t *testing.T) {
	path := newPath(t)
	s := open(t, path, Options{})
	sample(t, s)
	if err := os.Truncate(path, int64(2*os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	_, job := s.Job(ctx, 1)
	_, read := read(s)
	_, commit := s.Commit(ctx, []persist.Step{amend(2, 9), insert(100, 10)})
	for _, err := range []error{job, read, commit, s.Check(ctx)} {
		var corrupt *persist.CorruptError
		if !errors.As(err, &corrupt) {
			t.Error(err)
		}
	}
	s.crash()
}
