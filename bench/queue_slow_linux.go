//go:build linux && (amd64 || arm64)

package main

import (
	"fmt"
	"os/exec"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Go programs make system calls themselves, so no library can be put before fsync, and
// bbolt takes the number of a file, so none can be put around it. But the kernel can be
// told to ask before it syncs, by a filter that a thread and all its children have.

// syncDelay is what a sync takes longer on a slow disk.
const syncDelay = time.Millisecond

// slowable reports whether the kernel lets us.
func slowable() bool {
	ok := make(chan bool)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its filter
		fd, err := askBeforeSync()
		if err == nil {
			_ = unix.Close(fd)
		}
		ok <- err == nil
	}()
	return <-ok
}

// slowly runs a command whose syncs, and those of its children, take longer.
func slowly(cmd *exec.Cmd) error {
	ended := make(chan error)
	go func() {
		runtime.LockOSThread() // as above; the command is a child of this very thread
		fd, err := askBeforeSync()
		if err != nil {
			ended <- err
			return
		}
		go answer(fd)
		ended <- cmd.Run()
	}()
	return <-ended
}

// askBeforeSync has the kernel ask, for each sync by this thread and its children, on the
// descriptor that is returned.
func askBeforeSync() (fd int, err error) {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return 0, err
	}
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // the number of the call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_FSYNC, Jt: 1},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_FDATASYNC, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	got, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return 0, fmt.Errorf("seccomp: %w", errno)
	}
	return int(got), nil
}

// question and reply are seccomp_notif and seccomp_notif_resp of the kernel.
type question struct {
	id         uint64
	pid, flags uint32
	call       int32
	arch       uint32
	at         uint64
	args       [6]uint64
}

type reply struct {
	id    uint64
	value int64
	err   int32
	flags uint32
}

// What ioctl is told, and what makes the kernel go on with the call.
const (
	receive = 0xc0502100
	send    = 0xc0182101
	carryOn = 1
)

// answer holds up each sync, and lets it happen then, until nobody is left who could make
// one.
func answer(fd int) {
	defer unix.Close(fd) //nolint:errcheck // it was only listened to
	for {
		events := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(events, -1); err != nil && err != unix.EINTR {
			return
		}
		if events[0].Revents&unix.POLLIN == 0 {
			if events[0].Revents != 0 {
				return
			}
			continue
		}
		var q question
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), receive, uintptr(unsafe.Pointer(&q))); errno != 0 {
			continue // who asked is gone
		}
		go func() {
			pause := unix.NsecToTimespec(syncDelay.Nanoseconds()) // finer than a timer of the runtime
			_ = unix.Nanosleep(&pause, nil)
			r := reply{id: q.id, flags: carryOn}
			_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(fd), send, uintptr(unsafe.Pointer(&r))) // who asked may be gone
		}()
	}
}
