package boltstore

import "go.etcd.io/bbolt"

// The file holds these buckets. An id is a number of 8 bytes, the highest first.
//
//	meta    "format" → format, "open" → token, "tally" → tally
//	jobs    id → sheet: the record of that job, payload included when it is small, or those of
//	        several of which it is the last, see sheet.go; its sequence is the last ID
//	states  id → state; if the job has ended, the last one and the end. A job without an
//	        entry is as it was submitted
//	blobs   id → payload that is too large for jobs, as it is
//
// The token is a random number that says who has the file in use: he does not find another when he
// has to open it again. It is one number, as the format is.
//
// So an insert is one put at most, and so is a change of state, and an end; what it was about
// stays where it is until it is forgotten, and the order of ends is found in the states when the
// file is opened. Values other than blobs and sheets of several are fields in the wire format of
// protocol buffers, the last of which is a checksum, see seal. The numbers of the fields are in
// record.go, state.go and tally.go.
//
// How to change it. A field may be added, with a number that never was used, if a version
// that skips it does no harm. Anything else is a new format: raise format, append to
// migrations what makes a file of the last one into a new one, and add the file that
// TestGoldenFiles -update writes. Files of older formats stay in testdata for ever. What
// never changes is the bucket meta and its entry "format", by which an older version knows
// that it has to keep off.
const format = 2

// migrations lead from each format to the next: the first from 1 to 2.
var migrations = ladder{
	// In format 1 each record is alone, as it still may be. The number keeps those off who know no
	// others.
	func(*bbolt.Tx) error { return nil },
}

// bucket is one of the buckets, and the seed of the checksums in it.
type bucket uint8

const (
	meta bucket = iota
	jobs
	states
	blobs
	buckets
)

var bucketNames = [buckets][]byte{
	meta:   []byte("meta"),
	jobs:   []byte("jobs"),
	states: []byte("states"),
	blobs:  []byte("blobs"),
}

func (b bucket) String() string { return string(bucketNames[b]) }

// The keys in meta.
var (
	formatKey = []byte("format")
	openKey   = []byte("open")
	tallyKey  = []byte("tally")
)

const (
	// fill is how full pages are made: what grows mostly grows at its end. A full page would be split by
	// the first change of a state in it. But where states come that are farther than near from the
	// last, each page that is split would leave a small rest behind: there it is split in the middle.
	fill = 0.9
	near = 4096
)
