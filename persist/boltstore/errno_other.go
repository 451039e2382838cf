//go:build !unix

package boltstore

import (
	"io/fs"
	"syscall"
)

// noRoom are the errors by which a system says that a file cannot grow: the handle, or
// the disk, is full.
var noRoom = []error{syscall.Errno(39), syscall.Errno(112)}

// noWrite are those by which it says that a file cannot be written: also when the disk
// is write-protected.
var noWrite = []error{fs.ErrPermission, syscall.Errno(19)}

// gone reports whether there is no process of that number, as far as can be known.
func gone(int) bool { return false }
