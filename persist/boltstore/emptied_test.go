package boltstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/persist"
)

// asks are what a store can be asked.
var asks = map[string]func(s *Store) error{
	"commit": func(s *Store) error { _, err := s.Commit(ctx, []persist.Step{amend(2, 9)}); return err },
	"job":    func(s *Store) error { _, err := s.Job(ctx, 1); return err },
	"past":   func(s *Store) error { _, err := s.Past(ctx, persist.PastQuery{}); return err },
	"check":  func(s *Store) error { return s.Check(ctx) },
	"backup": func(s *Store) error { return s.BackupFile(ctx, s.path+".bak") },
	"close":  (*Store).Close,
}

// The process whose file is emptied while it is open asks for one thing first, and then for all.
func init() {
	for name, first := range asks {
		roles["emptied, "+name] = func(path string) {
			time.AfterFunc(10*time.Second, func() { panic("it hangs") })
			s, err := Open(ctx, path, Options{})
			if err == nil {
				_, err = s.Recover(ctx, func(*persist.Job) error { return nil })
			}
			if err = errors.Join(err, os.Truncate(path, 0)); err != nil {
				fmt.Println(err)
				return
			}
			var corrupt *persist.CorruptError
			if err := first(s); !errors.As(err, &corrupt) {
				fmt.Println(name, "first:", err)
			}
			for name, ask := range asks {
				s.Usage()
				if err := ask(s); name != "close" && !errors.As(err, &corrupt) && !errors.Is(err, persist.ErrClosed) {
					fmt.Println(name, "then:", err)
				}
			}
			// Nobody is kept out.
			if s, err = Open(ctx, path, Options{}); err == nil {
				err = s.Close()
			}
			fmt.Println("done", err)
		}
	}
}

func TestAFileThatIsEmptiedWhileItIsOpenIsAnError(t *testing.T) {
	for name := range asks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := newPath(t)
			s := open(t, path, Options{})
			sample(t, s)
			s.Close()
			out, err := another(t, "emptied, "+name, path).Output()
			if err != nil || strings.TrimSpace(string(out)) != "done <nil>" {
				t.Errorf("%s %v", out, err)
			}
		})
	}
}

// The process whose file is damaged while it is open makes a backup.
func init() {
	roles["back up"] = func(path string) {
		s, err := Open(ctx, path, Options{})
		if err != nil {
			fmt.Println(err)
			return
		}
		for at := 2 * int64(os.Getpagesize()); at < s.high; at += int64(os.Getpagesize()) {
			if _, err := s.file.WriteAt([]byte{0x77, 0x77}, at+8); err != nil { // flags
				fmt.Println(err)
			}
		}
		var corrupt *persist.CorruptError
		for _, err := range []error{s.BackupFile(ctx, path+".bak"), s.Backup(ctx, &strings.Builder{})} {
			if !errors.As(err, &corrupt) || corrupt.Path != path {
				fmt.Println(err)
			}
		}
		if files, _ := os.ReadDir(filepath.Dir(path)); len(files) > 2 {
			fmt.Println("something is left:", files)
		}
		fmt.Println("done")
	}
}

func TestADamagedStoreIsNotBackedUp(t *testing.T) {
	path := newPath(t)
	s := open(t, path, Options{})
	sample(t, s)
	s.Close()
	out, err := another(t, "back up", path).Output()
	if err != nil || strings.TrimSpace(string(out)) != "done" {
		t.Errorf("%s %v", out, err)
	}
}
