package persist

import "context"

// Backend is where the jobs of a queue are kept: a file, say. It is opened at the
// beginning of each run of the queue and closed at its end.
//
// If it has a method Validate() error, like that of boltstore, Queue.Validate asks that too.
type Backend interface {
	// Open opens the store, or says why that cannot be: see LockedError, FormatError,
	// CorruptError. It may wait, as long as ctx allows.
	Open(ctx context.Context) (Store, error)
}

// Store keeps jobs. Only one queue has it open at a time, and that decides: a store makes
// the steps that it is given atomic, durable and ordered, and finds things again. Commit
// and Recover are called by one goroutine at a time; the others by any number, also while
// a Commit is under way, and answer from what was committed before.
type Store interface {
	// Recover calls each for every job that has not ended, in the order of their IDs, as it
	// stands and without its payload, and then says what else there is. An error of each
	// ends it. It is called once, before anything else. From then on until Close the store
	// counts as in use: if it is not closed, the next Recovery is not Clean. And if this one is
	// not, nor is the next one until a Commit has succeeded: what a crash says of the jobs that
	// ran is to be noted.
	Recover(ctx context.Context, each func(*Job) error) (Recovery, error)

	// Commit takes steps, in their order, all or none. When it returns nil, they are as
	// durable as the store promises. A step that is stale changes nothing and is no error;
	// its index is returned. The steps, and what they point to, are not changed, and belong to the
	// caller again when Commit has returned: they are used for other jobs then, so what a store
	// keeps of them has to be copied, a Record with its Tags and its Payload.
	//
	// After an error nothing has been changed, and the store can be used; but for an error
	// that is ErrUnknown: then nobody knows, and Settle has to be called.
	Commit(ctx context.Context, steps []Step) (stale []int, err error)

	// Settle finds out what has become of a commit that ended with ErrUnknown, by opening
	// the store again, if need be. As long as it returns an error, that has not been
	// possible. Afterwards the store can be used.
	Settle(ctx context.Context) (committed bool, err error)

	// Job returns what is known of a job, payload included: ErrNotFound if there never was one
	// of that ID, ErrPruned if it has been forgotten.
	Job(ctx context.Context, id ID) (*Job, error)

	// Payload returns that of a job.
	Payload(ctx context.Context, id ID) ([]byte, error)

	// Past returns jobs that have ended, without payloads, the latest first.
	Past(ctx context.Context, q PastQuery) ([]*Job, error)

	// Usage says how large the store is.
	Usage() Usage

	// Close ends the use of the store. It is clean from then on, but for a crash that was not
	// noted, see Recover.
	Close() error
}

// Recovery is what a store says when it is opened.
type Recovery struct {
	// Clean says that whoever used the store before has closed it, and that the last crash was
	// noted.
	Clean bool
	// Next is the ID of the next job.
	Next ID
	// Past is how many jobs have ended in each way and are still known.
	Past [DependencyFailed + 1]int
}

// PastQuery asks for jobs that have ended.
type PastQuery struct {
	// Kinds are the endings asked for; none means all.
	Kinds []Ending
	// Type, if it is not empty, is that of the jobs asked for. Queue.Past adds those that were
	// stored under its aliases.
	Type string
	// Before, if it is not zero, asks for what ended before the end with that Seq.
	Before uint64
	// Limit is how many to return at most; zero means DefaultPage.
	Limit int
}

// DefaultPage is how many jobs a listing returns when nothing else is said.
const DefaultPage = 100

// Usage is how large a store is. What a store does not know is zero.
type Usage struct {
	// Bytes is how much room it takes, Free how much of that it can use again.
	Bytes, Free int64
	// Limit is how large it may become; zero means that there is no limit.
	Limit int64
}

// Verb says what a step does.
type Verb uint8

const (
	_ Verb = iota
	// Insert adds the job in Record, whose ID is higher than all before.
	Insert
	// Amend replaces the state of a job that has not ended by State. It is stale if there
	// is no such job, or if its fence is higher than that of State.
	Amend
	// Resolve ends a job: State is its last state, and End says how. The store gives
	// End.Seq. It is stale as Amend is.
	Resolve
	// Revive makes a job that has ended one that has not, with State. It is stale if there
	// is no such job.
	Revive
	// Prune forgets the Count jobs that first ended as Kind, or as many as there are.
	Prune
)

// Step is one change. Which fields count depends on the verb.
type Step struct {
	Verb   Verb
	ID     ID
	Record *Record
	State  State
	End    End
	Kind   Ending
	Count  int
}
