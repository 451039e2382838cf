package persist

import "time"

// The limits of what may be submitted.
const (
	// MaxPayload is how large a payload may be unless Config.MaxPayload says otherwise.
	MaxPayload = 1 << 20
	// MaxTags is how many tags a job may have.
	MaxTags = 32
	// MaxTagKey is how long the key of a tag may be, in bytes.
	MaxTagKey = 64
	// MaxTagValue is how long the value of a tag may be, in bytes.
	MaxTagValue = 256
	// MaxKey is how long a key may be, in bytes.
	MaxKey = 1024
	// MaxName is how long the name of a type, a domain or a group may be, in bytes.
	MaxName = 200
	// MaxLabel is how long a label may be, in bytes.
	MaxLabel = 1024
	// MaxErrorText is how much is kept of the text of an error, in bytes.
	MaxErrorText = 4096
	// MaxBatch is how many jobs are stored together, all or none. A submission of more is
	// stored in several parts.
	MaxBatch = 10_000
)

// MaxWait is for how long a job may be made to wait for its time, and how long it may be worth
// running: a hundred years. What is farther away a queue could not tell apart.
const MaxWait = 36_525 * 24 * time.Hour

// MaxAhead is how many jobs Wait.Ahead counts at most.
const MaxAhead = 1000

// The defaults of a queue.
const (
	// DefaultWorkers is how many jobs run at a time.
	DefaultWorkers = 4
	// DefaultMaxRetries is how often a job is retried.
	DefaultMaxRetries = 3
	// DefaultHistory is how many jobs are remembered that have ended, of each kind of end.
	DefaultHistory = 10_000
	// DefaultDeadLetters is how many dead letters are kept.
	DefaultDeadLetters = 100_000
	// DefaultBacklog is how many jobs may have finished without that being durable, before
	// no more are begun.
	DefaultBacklog = 4096
	// DefaultRelaxedDelay is for how long what was submitted as Relaxed may wait for its
	// commit.
	DefaultRelaxedDelay = 10 * time.Millisecond
	// DefaultCache is how much memory may hold jobs that wait, in bytes.
	DefaultCache = 16 << 20
	// DefaultCrashes is in how many crashes a job may have run alone before it is parked.
	DefaultCrashes = 3
)
