package boltstore

import (
	"cmp"
	"fmt"
	"io/fs"
	"time"

	"github.com/taskvisor/taskvisor/policy"
)

// The defaults and limits of a store.
const (
	// DefaultLockTimeout is how long Open waits for a file that somebody else has.
	DefaultLockTimeout = time.Second
	// DefaultInlinePayload is how large a payload may be that is kept beside its job.
	DefaultInlinePayload = 4096
	// MaxInlinePayload is how large Options.InlinePayload may be.
	MaxInlinePayload = 1 << 20
	// MinMaxSize is the least that Options.MaxSize may be.
	MinMaxSize = 4 << 20
	// DefaultFileMode is who may read and write a file that is made.
	DefaultFileMode fs.FileMode = 0o600
	// CompactFree is how many bytes of a file, and CompactShare what share of it, have to
	// be free for CompactOnOpen to do anything.
	CompactFree  = 64 << 20
	CompactShare = 0.5
)

// Options say how a file is used. The zero Options work, and are safe.
type Options struct {
	// LockTimeout is how long Open waits while somebody else has the file. Zero means 1 s.
	LockTimeout time.Duration
	// MaxSize is how many bytes the file may take, at least MinMaxSize; zero sets no
	// limit. Some of it is kept for the ends of jobs, see Usage. A file that is larger
	// already is used, and does not grow, but for the little that it may take to forget
	// something.
	MaxSize int64
	// NoSync acknowledges what the operating system has, and the disk may not. It
	// survives the death of the process. When the machine dies, jobs may be lost, and the
	// file may be damaged.
	NoSync bool
	// CheckOnOpen looks through the whole file before it is used, see Store.Check.
	CheckOnOpen bool
	// CompactOnOpen makes a file smaller of which more than half is free, and more than
	// 64 MiB. That needs room for a second file, and time.
	CompactOnOpen bool
	// InlinePayload is how many bytes of payload are kept beside the job. What is larger
	// lies apart. Zero means 4 KiB.
	InlinePayload int
	// FileMode is who may read and write a file that is made; zero means 0600. Folders
	// that are made can be searched by who may read the file.
	FileMode fs.FileMode
	// NoDirCreate makes it an error when the folder of the file does not exist.
	NoDirCreate bool

	sheets int // how many jobs a commit has to add for them to share values; zero means defaultSheets
}

// check returns what cannot be used.
func (o *Options) check(path string) error {
	bad := func(field string, value any, reason string) error {
		return fmt.Errorf("boltstore: %w", &policy.FieldError{Field: field, Value: value, Reason: reason})
	}
	switch {
	case path == "":
		return bad("path", path, "must not be empty")
	case o.LockTimeout < 0:
		return bad("LockTimeout", o.LockTimeout, "must not be negative")
	case o.MaxSize < 0:
		return bad("MaxSize", o.MaxSize, "must not be negative")
	case o.MaxSize > 0 && o.MaxSize < MinMaxSize:
		return bad("MaxSize", o.MaxSize, "is less than the 4 MiB of MinMaxSize")
	case o.InlinePayload < 0:
		return bad("InlinePayload", o.InlinePayload, "must not be negative")
	case o.InlinePayload > MaxInlinePayload:
		return bad("InlinePayload", o.InlinePayload, "is more than the 1 MiB of MaxInlinePayload")
	case o.FileMode&^fs.ModePerm != 0:
		return bad("FileMode", o.FileMode, "is more than permissions")
	case o.FileMode != 0 && o.FileMode&0o600 != 0o600:
		return bad("FileMode", o.FileMode, "must let the owner read and write")
	}
	return nil
}

// resolved returns o with defaults in place of its zeros.
func (o Options) resolved() Options {
	o.LockTimeout = cmp.Or(o.LockTimeout, DefaultLockTimeout)
	o.InlinePayload = cmp.Or(o.InlinePayload, DefaultInlinePayload)
	o.FileMode = cmp.Or(o.FileMode, DefaultFileMode)
	o.sheets = cmp.Or(o.sheets, defaultSheets)
	return o
}

// folderMode lets search who may read.
func (o *Options) folderMode() fs.FileMode { return o.FileMode | o.FileMode&0o444>>2 }
