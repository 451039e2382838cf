// Package boltstore keeps the jobs of a queue in one file, with bbolt.
//
//	file := boltstore.File("jobs.db", boltstore.Options{})
//	queue := persist.New(persist.Config{Store: file})
//
// # What is promised
//
// A commit is atomic, and on disk when it is acknowledged. A job that was acknowledged is
// there after a crash of the process or of the machine, and what it was told to become is
// what it is. With [Options.NoSync] that holds for the death of the process only.
//
// One process has the file at a time: who comes second gets a *persist.LockedError that
// names the first. A damaged file is a *persist.CorruptError, and is left as it is: pages
// are looked through before they are used, values have checksums, and what is in the file
// is counted. A file of a newer version is a *persist.FormatError, and is left too.
//
// A file has two descriptions, which take turns, and Open uses the newer one that is whole. If
// the newest is damaged, the file is as it was before the last commit, and only
// [Options.CheckOnOpen] and [Store.Check] tell that. A file that is damaged while it is open may
// still end the process: after a commit that has failed, bbolt looks through all pages on a
// goroutine of its own, and panics there.
//
// # When the disk is full
//
// A commit for which there is no room changes nothing, and is persist.ErrFull. Under
// [Options.MaxSize] inserts are refused so early that the ends of the jobs that are there
// find room, if they end more or less in the order of their IDs: the other way round the
// pages of their states are half empty. There is always room to forget some that have ended.
//
// When the disk fails in the middle of a commit, the commit is persist.ErrUnknown, and so
// is everything else until [Store.Settle] knows better. It has to open the file again, and does
// not go on with another one, nor with one that somebody else has used meanwhile: that is
// [ErrReplaced] or [ErrTaken].
//
// # The file
//
// A file only grows: what was pruned makes room for what comes. [Compact] and
// [Options.CompactOnOpen] give the room back. [Store.Backup] copies a file while it is in
// use, see [Place.Store]; copying it by other means does not work.
//
// Beside the file there is another while it is in use, whose name ends in ".owner". It
// says who has it, and means nothing else. Files that end in ".new" or ".tmp" were being
// written when a process died, and can be deleted.
//
// A file on a network needs one that locks files.
package boltstore
