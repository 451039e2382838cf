package main

import (
	"io"
	"os"
	"os/exec"
)

// The headings: the works that others do too, and those about ours with many jobs.
const (
	queueFamily = "Durable queue"
	depthFamily = "Durable queue with many jobs"
)

// The competitors of the durable queue. What bbolt does by hand is what its other columns
// are compared with.
const (
	bboltPeer    = "bbolt"
	backlitePeer = "backlite"
	goqitePeer   = "goqite"
	riverPeer    = "river+postgres"
	riverLite    = "river+sqlite"
	asynqPeer    = "asynq"
)

// queuePeers are the queues of others.
var queuePeers = []string{backlitePeer, goqitePeer, riverLite, riverPeer, asynqPeer}

const (
	// noteSize is how large a payload is, in bytes.
	noteSize = 256
	// submitting is how many goroutines submit at a time, where there are many.
	submitting = 64
	// working is how many jobs run at a time.
	working = 16
	// bulk is how many jobs are submitted together.
	bulk = 1000
)

// queueWorks are the works about jobs on disk.
func queueWorks() []work {
	everybody := append([]string{bboltPeer, ours}, queuePeers...)
	bulky := []string{bboltPeer, ours, backlitePeer, goqitePeer, riverLite, riverPeer}
	works := []work{
		{
			name: "queue-submit", family: queueFamily, by: everybody,
			how:     "One goroutine submits one job after the other, each with a payload of 256 bytes of its own, and each on disk when it is acknowledged. No workers. bbolt: one put per commit.",
			lines:   []line{{figure: "job", title: "submit, one caller, per job", unit: "µs", targets: []target{times(1/0.8, bboltPeer)}}},
			measure: func(p peer, size scale) (figures, error) { return measureSubmissions(p, size, 1) },
		},
		{
			name: "queue-submit-64", family: queueFamily, by: everybody,
			how:     "The same by 64 goroutines. bbolt: one goroutine commits what the 64 have queued meanwhile.",
			lines:   []line{{figure: "job", title: "submit, 64 callers, per job", unit: "µs", targets: []target{times(1/0.6, bboltPeer), times(1.0/7, backlitePeer)}}},
			measure: func(p peer, size scale) (figures, error) { return measureSubmissions(p, size, submitting) },
		},
		{
			name: "queue-submit-bulk", family: queueFamily, by: bulky,
			how: "One goroutine submits 1,000 jobs at a time: in one transaction, where a competitor has transactions. bbolt: 1,000 puts per commit. " +
				"What is submitted is there before the clock runs: inputs of which no two are equal, and for bbolt 16,000 documents of 256 bytes that it is given in turn.",
			lines:   []line{{figure: "job", title: "submit in batches of 1,000, per job", unit: "µs", targets: []target{times(2, bboltPeer)}}},
			measure: measureBulk,
		},
		{
			name: "queue-submit-bulk-least", family: queueFamily, by: []string{bboltPeer},
			how: "The same on bbolt by hand, with the least that a queue does: each input is encoded as JSON, hashed, looked up and entered in a map, " +
				"and put with its digest and a checksum. By one goroutine, which checks nothing, tells nothing and runs nothing.",
			lines:   []line{{figure: "job", title: "the same by hand: encoded, hashed, indexed, sealed", unit: "µs"}},
			measure: measureLeast,
		},
		{
			name: "queue-submit-bulk-bytes", family: queueFamily, by: []string{bboltPeer, ours},
			how:     "The same, where our payloads are bytes too, submitted by `Raw`: without JSON.",
			lines:   []line{{figure: "job", title: "a batch whose payloads are bytes as they are, per job", unit: "µs", targets: []target{times(2, bboltPeer)}}},
			measure: measureBulkBytes,
		},
		{
			name: "queue-drain", family: queueFamily, by: everybody, rounds: 3,
			how: "20,000 jobs wait that do nothing. Time from the beginning of the work by 16 workers until all have ended and that is on disk, with what the competitor keeps of jobs that have ended. " +
				"Who has not done it in 3 s is stopped then; what is left does not count. bbolt: 1,000 puts per commit.",
			lines: []line{{
				figure: "job", title: "drain 20k jobs, 16 workers, per job", unit: "µs",
				targets: []target{times(1/0.3, bboltPeer), timesBest(1.0/5, queuePeers...)},
			}},
			measure: measureDrain,
		},
		{
			name: "queue-drain-bytes", family: queueFamily, by: []string{bboltPeer, ours}, rounds: 3,
			how:     "The same, where our payloads are bytes too, and handled by `HandleRaw`: without JSON.",
			lines:   []line{{figure: "job", title: "the same, payloads as they are, per job", unit: "µs", targets: []target{times(1/0.3, bboltPeer)}}},
			measure: withBytes(measureDrain),
		},
		{
			name: "queue-run", family: queueFamily, by: everybody, rounds: 3,
			how: "64 goroutines submit for half a second while 16 workers run; time until all has ended on disk, at most 3 s, per job. bbolt: the submissions alone, as above.",
			lines: []line{{
				figure: "job", title: "submit and run at once, 64 callers, 16 workers, per job", unit: "µs",
				targets: []target{times(1/0.25, bboltPeer), timesBest(1.0/7, queuePeers...)},
			}},
			measure: measureRun,
		},
		{
			name: "queue-latency", family: queueFamily, by: everybody, rounds: 3,
			how:     "One job at a time, the next when the last has ended: median from before its submission to its handler. bbolt: median of a commit of one put.",
			lines:   []line{{figure: "entered", title: "submit → handler entered, one at a time, median", unit: "µs", targets: []target{times(2, bboltPeer)}}},
			measure: measureLatency,
		},
	}
	works = append(works, slowWorks(everybody)...)
	works = append(works, crowdWorks()...)
	works = append(works, millionWorks()...)
	works = append(works, diskWorks()...)
	return append(works, millWorks()...)
}

// slowedEnv says that syncs are held up already.
const slowedEnv = "BENCH_SLOWED"

// runSlowly measures one cell in a process whose syncs are held up.
func runSlowly(name string, size scale, profile string, stdout io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := []string{"-cell", name, "-cpuprofile", profile}
	if size.quick {
		args = append(args, "-quick")
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), slowedEnv+"=1")
	cmd.Stdout, cmd.Stderr = stdout, os.Stderr
	return slowly(cmd)
}

// prototype is how many jobs a second bbolt by hand stored on the disk for which the targets of the
// slow lines were set, as 12,000 and 10,000. Their ratios to it hold on any disk.
const prototype = 12.5e3

// slowWorks are the main lines on a disk that is slower.
func slowWorks(by []string) []work {
	const how = " with 1 ms more for each sync of a file, by whatever process of the cell: the system call is held up before it is made."
	return []work{
		{
			name: "queue-slow-submit", family: queueFamily, by: by, rounds: 3, slow: true,
			how:     "Submissions by 64 goroutines," + how,
			lines:   []line{{figure: "job", title: "1 ms more per sync: submit, 64 callers, per job", unit: "µs", targets: []target{times(prototype/12e3, bboltPeer)}}},
			measure: func(p peer, size scale) (figures, error) { return measureSubmissions(p, size, submitting) },
		},
		{
			name: "queue-slow-run", family: queueFamily, by: by, rounds: 3, slow: true,
			how:     "Submit and run at once," + how,
			lines:   []line{{figure: "job", title: "1 ms more per sync: submit and run, per job", unit: "µs", targets: []target{times(prototype/10e3, bboltPeer)}}},
			measure: measureRun,
		},
	}
}
