package persist

import (
	"time"

	"github.com/taskvisor/taskvisor/events"
)

// The figures of a queue. The label queue is the Name of its Config.
var (
	jobsMetric = &events.Metric{
		Name: "queue_jobs", Labels: []string{"queue", "type", "state"},
		Help: "Jobs that have not ended, by their phase. Those that are just being stored are not among them.",
	}
	oldestMetric = &events.Metric{
		Name: "queue_oldest_ready_seconds", Labels: []string{"queue"},
		Help: "For how long the jobs have been ready that are next in their type and group: the longest, 0 for none.",
	}
	workersMetric = &events.Metric{
		Name: "queue_workers", Labels: []string{"queue"},
		Help: "How many jobs may run at a time.",
	}
	runningMetric = &events.Metric{
		Name: "queue_workers_used", Labels: []string{"queue"},
		Help: "How many jobs have a worker: not those that were given up, nor those whose end is being stored.",
	}
	submittedMetric = &events.Metric{
		Name: "queue_submissions_total", Counter: true, Labels: []string{"queue", "result"},
		Help: "Submissions, by what has become of them. One that ended with an error is not among them.",
	}
	endedMetric = &events.Metric{
		Name: "queue_ended_total", Counter: true, Labels: []string{"queue", "kind"},
		Help: "Ends of jobs, by kind. A job that is revived ends again.",
	}
	historyMetric = &events.Metric{
		Name: "queue_history", Labels: []string{"queue", "kind"},
		Help: "Jobs that have ended and are still known, by how they ended.",
	}
	prunedMetric = &events.Metric{
		Name: "queue_pruned_total", Counter: true, Labels: []string{"queue"},
		Help: "Jobs that had ended and were forgotten.",
	}
	commitsMetric = &events.Metric{
		Name: "queue_commits_total", Counter: true, Labels: []string{"queue"},
		Help: "Commits that were stored.",
	}
	stepsMetric = &events.Metric{
		Name: "queue_commit_steps_total", Counter: true, Labels: []string{"queue"},
		Help: "Changes in the commits that were stored.",
	}
	commitTimeMetric = &events.Metric{
		Name: "queue_commit_seconds_total", Counter: true, Labels: []string{"queue"},
		Help: "Time that the commits took that were stored.",
	}
	failuresMetric = &events.Metric{
		Name: "queue_commit_failures_total", Counter: true, Labels: []string{"queue"},
		Help: "Commits that failed, or of which it was not known at once what had become of them.",
	}
	owingMetric = &events.Metric{
		Name: "queue_uncommitted", Labels: []string{"queue"},
		Help: "Attempts that have ended without that being stored yet.",
	}
	bytesMetric = &events.Metric{
		Name: "queue_store_bytes", Labels: []string{"queue"},
		Help: "How large the store is, 0 if it does not know.",
	}
	freeMetric = &events.Metric{
		Name: "queue_store_free_bytes", Labels: []string{"queue"},
		Help: "How much of the store is free.",
	}
	limitMetric = &events.Metric{
		Name: "queue_store_limit_bytes", Labels: []string{"queue"},
		Help: "How large the store may become, 0 for no limit.",
	}
)

var metrics = []*events.Metric{
	jobsMetric, oldestMetric, workersMetric, runningMetric, submittedMetric, endedMetric, historyMetric, prunedMetric,
	commitsMetric, stepsMetric, commitTimeMetric, failuresMetric, owingMetric, bytesMetric, freeMetric, limitMetric,
}

// counts are what has happened, in all runs.
type counts struct {
	results                          [Rejected + 1]uint64
	ended                            [DependencyFailed + 1]uint64
	commits, steps, failures, pruned uint64
	committing                       time.Duration
}

// maxTypes is how many types are told apart in figures.
const maxTypes = 1000

// Metrics returns all that Measure reports.
func (q *Queue) Metrics() []*events.Metric { return append([]*events.Metric(nil), metrics...) }

// Measure reports what the queue holds and what it has done. The figures of the tasks that it
// runs are among those of the tree in which it hangs. Queues are told apart by the Names of
// their Configs.
func (q *Queue) Measure(report func(m *events.Metric, value float64, labels ...string)) {
	name := q.cfg.Name
	b := q.known()
	b.mu.Lock()
	rows := b.rows()
	counts, past, workers, running, owing, oldest := b.counts, b.past, b.workers, b.running, b.owing, b.oldest()
	b.mu.Unlock()

	for _, r := range rows {
		for p := Blocked; p < Ended; p++ {
			report(jobsMetric, float64(r.count[p]), name, r.name, p.String())
		}
	}
	report(oldestMetric, oldest.Seconds(), name)
	report(workersMetric, float64(workers), name)
	report(runningMetric, float64(running), name)
	for k := Inserted; k <= Rejected; k++ {
		report(submittedMetric, float64(counts.results[k]), name, k.String())
	}
	for k := Completed; k <= DependencyFailed; k++ {
		report(endedMetric, float64(counts.ended[k]), name, k.String())
		report(historyMetric, float64(past[k]), name, k.String())
	}
	report(prunedMetric, float64(counts.pruned), name)
	report(commitsMetric, float64(counts.commits), name)
	report(stepsMetric, float64(counts.steps), name)
	report(commitTimeMetric, counts.committing.Seconds(), name)
	report(failuresMetric, float64(counts.failures), name)
	report(owingMetric, float64(owing), name)
	var usage Usage
	if s := q.store.Load(); s != nil {
		usage = (*s).Usage()
	}
	report(bytesMetric, float64(usage.Bytes), name)
	report(freeMetric, float64(usage.Free), name)
	report(limitMetric, float64(usage.Limit), name)
}

// row is a type with its jobs by phase.
type row struct {
	name  string
	count [Ended]int
}

// rows returns the types that are told apart: the first that were known. The others are one.
func (b *book) rows() []row {
	rows, other, folded := make([]row, 0, len(b.kinds)), row{name: "other"}, false
	for n, k := range b.kinds {
		switch {
		case n != k.name: // an alias
		case k.number < maxTypes && n != other.name:
			rows = append(rows, row{n, k.count})
		default:
			folded = true
			for p, c := range k.count {
				other.count[p] += c
			}
		}
	}
	if folded {
		rows = append(rows, other)
	}
	return rows
}

// oldest is for how long a job has been ready, of those that go first in their lanes.
func (b *book) oldest() time.Duration {
	var since instant
	for _, k := range b.kinds {
		for _, l := range k.lanes {
			if e := l.head(); e != nil && (since == 0 || e.when < since) {
				since = e.when
			}
		}
	}
	if since == 0 {
		return 0
	}
	return time.Duration(b.clock.now() - since)
}

// Counts returns how many jobs there are in each phase; of those that have ended, how many
// are still known.
func (q *Queue) Counts() map[Phase]int {
	b := q.known()
	b.mu.Lock()
	defer b.mu.Unlock()
	counts := map[Phase]int{}
	for p, n := range b.phases() {
		if p > 0 {
			counts[Phase(p)] = n
		}
	}
	for _, n := range b.past {
		counts[Ended] += n
	}
	return counts
}

var _ events.Source = (*Queue)(nil)
