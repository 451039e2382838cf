package boltstore

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// ownerSuffix is the end of the name of the file that says who has a store. It is for
// people: the lock is on the store itself.
const ownerSuffix = ".owner"

// ownerFormat is pid, since when, and the name of the program, which may have spaces.
const ownerFormat = "pid %d\nsince %s\nprogram %s\n"

// writeOwner says that this process has the store. Where that cannot be written, nobody
// is told, and nothing else is different.
func writeOwner(path string, mode os.FileMode) {
	program, err := os.Executable()
	if err != nil {
		program = os.Args[0]
	}
	text := fmt.Sprintf(ownerFormat, os.Getpid(), time.Now().UTC().Format(time.RFC3339), filepath.Base(program))
	_ = os.WriteFile(path+ownerSuffix, []byte(text), mode)
}

func removeOwner(path string) { _ = os.Remove(path + ownerSuffix) }

// owner says who has the store, if that is known. What a process has left that is gone is
// not believed.
func owner(path string) string {
	text, err := os.ReadFile(path + ownerSuffix)
	if err != nil {
		return ""
	}
	var pid int
	var since, program string
	if n, _ := fmt.Sscanf(string(text), "pid %d\nsince %s\nprogram %s", &pid, &since, &program); n < 3 || gone(pid) {
		return ""
	}
	if pid == os.Getpid() {
		return fmt.Sprintf("pid %d (this process)", pid)
	}
	return fmt.Sprintf("pid %d (%s)", pid, program)
}
