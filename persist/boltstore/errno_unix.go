//go:build unix

package boltstore

import "syscall"

// noRoom are the errors by which a system says that a file cannot grow.
var noRoom = []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG}

// noWrite are those by which it says that a file cannot be written.
var noWrite = []error{syscall.EROFS, syscall.EACCES, syscall.EPERM}

// gone reports whether there is no process of that number.
func gone(pid int) bool { return syscall.Kill(pid, 0) == syscall.ESRCH }
