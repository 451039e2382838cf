package boltstore

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/taskvisor/taskvisor/persist"
)

// disk mounts a disk in memory of that size, where that is allowed.
func disk(t *testing.T, size string) string {
	t.Helper()
	folder := t.TempDir()
	if err := syscall.Mount("none", folder, "tmpfs", 0, "size="+size); err != nil {
		t.Skip("nothing can be mounted: ", err)
	}
	t.Cleanup(func() { syscall.Unmount(folder, syscall.MNT_DETACH) })
	return folder
}

func TestADiskThatIsFullChangesNothing(t *testing.T) {
	folder := disk(t, "6m")
	path := filepath.Join(folder, "jobs.db")
	s := open(t, path, Options{})
	mustRead(t, s)
	next, err := until(s, 1)
	if !errors.Is(err, persist.ErrFull) || errors.Is(err, persist.ErrUnknown) || next < 100 {
		t.Fatalf("%v, after %d jobs", err, next)
	}
	t.Log(err)
	check(t, s)
	if j, err := s.Job(ctx, next-1); err != nil || len(j.Payload) != 30_000 {
		t.Fatal(err)
	}

	// Its own room is enough to go on, once something was forgotten.
	for i := range 20 {
		if err = resolveAll(s, persist.ID(1+i), 1); err != nil {
			break
		}
	}
	t.Log("ends on a full disk: ", err)
	if err != nil && !errors.Is(err, persist.ErrFull) {
		t.Fatal(err)
	}
	// And so is that which others leave.
	if err := syscall.Mount("none", folder, "tmpfs", syscall.MS_REMOUNT, "size=12m"); err != nil {
		t.Fatal(err)
	}
	again, err := until(s, next)
	if !errors.Is(err, persist.ErrFull) || again < next+50 {
		t.Fatalf("%v, after %d jobs", err, again)
	}
	check(t, s)
	s.crash()
	syscall.Mount("none", folder, "tmpfs", syscall.MS_REMOUNT, "size=24m")
	if r := mustRead(t, open(t, path, Options{CheckOnOpen: true})).Recovery; r.Clean || r.Next != again {
		t.Fatalf("%+v", r)
	}
}

func resolveAll(s *Store, id persist.ID, n int) error {
	var steps []persist.Step
	for range n {
		steps = append(steps, resolve(id, persist.Completed))
		id++
	}
	_, err := s.Commit(ctx, steps)
	return err
}

func TestAFullDiskCannotHaveANewStore(t *testing.T) {
	folder := disk(t, "4k")
	if err := os.WriteFile(filepath.Join(folder, "other"), make([]byte, 4096), 0o600); err != nil {
		t.Skip(err)
	}
	if _, err := Open(ctx, filepath.Join(folder, "jobs.db"), Options{}); !errors.Is(err, persist.ErrFull) {
		t.Fatal(err)
	}
}

// A first start for which there is only room in part leaves nothing that is in the way of the next.
func TestAStoreThatCouldNotBeMadeCanBeMadeLater(t *testing.T) {
	const page = 4096
	for room := range 5 {
		t.Run(fmt.Sprint(room, " pages"), func(t *testing.T) {
			folder := disk(t, "64k")
			path, other := filepath.Join(folder, "jobs.db"), filepath.Join(folder, "other")
			if err := os.WriteFile(other, make([]byte, (16-room)*page), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(ctx, path, Options{}); !errors.Is(err, persist.ErrFull) {
				t.Fatal(err)
			}
			os.Remove(other)
			if err := syscall.Mount("none", folder, "tmpfs", syscall.MS_REMOUNT, "size=8m"); err != nil {
				t.Fatal(err)
			}
			sample(t, open(t, path, Options{}))
		})
	}
}

func TestABackupForWhichThereIsNoRoomIsFull(t *testing.T) {
	s := open(t, newPath(t), Options{})
	sample(t, s)
	for room := range 6 {
		folder := disk(t, fmt.Sprint(4096*(room+1)))
		err := s.BackupFile(ctx, filepath.Join(folder, "jobs.db"))
		if !errors.Is(err, persist.ErrFull) || !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%d pages: %v", room, err)
		}
		if files, _ := os.ReadDir(folder); len(files) > 0 {
			t.Errorf("%d pages: something is left", room)
		}
	}
}

// To open a device or a pipe may do something, and to write to it more.
func TestWhatIsNoRegularFileIsNotOpened(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink("/dev/null", link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, link, "/dev/null", t.TempDir()} {
		if _, err := Open(ctx, path, Options{}); !errors.Is(err, ErrNotRegular) {
			t.Errorf("%s: %v", path, err)
		}
		if _, err := os.Stat(path + ownerSuffix); err == nil {
			t.Errorf("%s: there is an owner file", path)
		}
	}
}

func TestADiskThatIsWriteProtectedIsToldEarly(t *testing.T) {
	folder := disk(t, "8m")
	path := filepath.Join(folder, "jobs.db")
	s := open(t, path, Options{})
	sample(t, s)
	s.Close()
	if err := syscall.Mount("none", folder, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skip(err)
	}
	for _, path := range []string{path, filepath.Join(folder, "new.db"), filepath.Join(folder, "a", "new.db")} {
		if _, err := Open(ctx, path, Options{}); !errors.Is(err, persist.ErrReadOnly) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestAFileThatMayNotBeWrittenIsToldEarly(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write everything")
	}
	path := newPath(t)
	open(t, path, Options{}).Close()
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(ctx, path, Options{}); !errors.Is(err, persist.ErrReadOnly) {
		t.Fatal(err)
	}
}

// The process whose files may not grow has no errors of bbolt to go by.
func init() {
	roles["limited"] = func(path string) {
		fail := func(err error) {
			fmt.Println("failed:", err)
			os.Exit(0)
		}
		signal.Ignore(syscall.SIGXFSZ)
		var was syscall.Rlimit
		syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was)
		s, err := Open(ctx, path, Options{})
		if err != nil {
			fail(err)
		}
		now := syscall.Rlimit{Cur: 6 << 20, Max: was.Max}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &now); err != nil {
			fail(err)
		}
		next, err := until(s, 1)
		if !errors.Is(err, persist.ErrFull) || errors.Is(err, persist.ErrUnknown) || next < 100 {
			fail(fmt.Errorf("after %d jobs: %w", next, err))
		}
		if err := s.Check(ctx); err != nil {
			fail(err)
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
			fail(err)
		}
		if _, err := s.Commit(ctx, []persist.Step{insert(next, 300_000)}); err != nil {
			fail(err)
		}
		if err := errors.Join(s.Check(ctx), s.Close()); err != nil {
			fail(err)
		}
		fmt.Println("ok")
	}
}

func TestAFileThatMayNotGrowIsFull(t *testing.T) {
	out, err := another(t, "limited", newPath(t)).Output()
	if err != nil || strings.TrimSpace(string(out)) != "ok" {
		t.Fatalf("%s %v", out, err)
	}
}

// become makes the file of s another one, which its mapping does not notice.
func become(t *testing.T, s *Store, name string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	if err := syscall.Dup3(int(f.Fd()), int(s.file.Fd()), 0); err != nil {
		t.Skip(err)
	}
}

// The null device takes every page, and cannot be synced.
func TestASyncThatFailsIsUnknownUntilItIsSettled(t *testing.T) {
	path := newPath(t)
	s := open(t, path, Options{})
	sample(t, s)
	mustRead(t, s)
	become(t, s, "/dev/null")
	_, err := s.Commit(ctx, []persist.Step{amend(2, 9)})
	if !errors.Is(err, persist.ErrUnknown) || !errors.Is(err, syscall.EINVAL) {
		t.Fatal(err)
	}
	if committed, err := s.Settle(ctx); err != nil || committed {
		t.Fatal(committed, err)
	}
	if j, err := s.Job(ctx, 2); err != nil || j.Fence != 1 {
		t.Fatal(j, err)
	}
	commit(t, s, amend(2, 9))
	check(t, s)
}

// A device that is always full refuses the pages themselves, and nothing has changed.
func TestAWriteForWhichThereIsNoRoomChangesNothing(t *testing.T) {
	path := newPath(t)
	s := open(t, path, Options{})
	sample(t, s)
	mustRead(t, s)
	keep, err := syscall.Dup(int(s.file.Fd()))
	if err != nil {
		t.Skip(err)
	}
	become(t, s, "/dev/full")
	_, err = s.Commit(ctx, []persist.Step{amend(2, 9)})
	if !errors.Is(err, persist.ErrFull) || errors.Is(err, persist.ErrUnknown) {
		t.Fatal(err)
	}
	if err := syscall.Dup3(keep, int(s.file.Fd()), 0); err != nil {
		t.Fatal(err)
	}
	syscall.Close(keep)
	if j, err := s.Job(ctx, 2); err != nil || j.Fence != 1 {
		t.Fatal(j, err)
	}
	commit(t, s, amend(2, 9))
	check(t, s)
}
