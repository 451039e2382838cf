package main

import (
	"github.com/taskvisor/taskvisor/controller"
)

const controlFamily = "Controller"

const (
	// shallow is how long a queue is with which a long one is compared.
	shallow = 100
	// burst is how many submissions are decided, or wait for one key, at a time.
	burst = 1000
	// submitters is from how many goroutines many submissions come.
	submitters = 64
)

// throughputs are the numbers of keys over which many submissions are spread.
var throughputs = []struct {
	keys int
	name string
}{{100, "100"}, {1000, "1k"}, {10_000, "10k"}, {100_000, "100k"}}

func controlWorks() []work {
	mine := []string{ours}
	return []work{
		{
			name: "submit", family: controlFamily, by: mine,
			how: "The loop of the one-shot lines, by `Submit` for a key that nobody uses, and by `Start` of a supervisor, in turn in one process.",
			lines: []line{
				{figure: "submit", title: "submit to an idle slot, run, await the outcome, sequential", unit: "ns", targets: []target{timesLine(2, "submit", "start", "`Start`")}},
				{figure: "start", title: "the same by `Start`, without a key", unit: "ns"},
				{figure: "submit-allocs", title: "submit to an idle slot, run, await the outcome", unit: "allocs"},
				{figure: "start-allocs", title: "the same by `Start`, without a key", unit: "allocs"},
			},
			measure: measureSubmit,
		},
		{
			name: "decisions", family: controlFamily, by: mine,
			how: "Bursts of 1,000 submissions for a key whose only place is taken, with 100 that wait for it already, or 100k; the time of `Submit` alone. " +
				"What a burst has queued is withdrawn before the next. The owner does not heed its order to end, so that every Replace but the first supersedes the one before. " +
				"Both lengths in turn in one process, each with a controller of its own, and never both at a time, for collections take longer with more to look at.",
			lines:   decisionLines(),
			measure: measureDecisions,
		},
		{
			name: "keys", family: controlFamily, by: mine,
			how: "64 goroutines together submit 100k tasks that do nothing, each for a random key among n, and await each outcome before the next; or, for the lines that say so, " +
				"submit all before they await any, so that tens of thousands wait for their key or for a processor. Per task. The others do so by `Start`, " +
				"without keys. All in turn in one process, with a collection before each. Nothing bounds the queues.",
			lines:   keysLines(),
			measure: measureKeys,
		},
		{
			name: "cancel", family: controlFamily, by: []string{bare, ours},
			how: "`Cancel` of 32 submissions of a queue, the oldest or such at random places, which are made up for by as many new ones before the next 32: in a queue of 100, in one of 100k, " +
				"and in 1,000 queues of 100, which shows what it costs alone that so many do not fit into the caches. In turn in one process, never two at a time. Bare is the least that one would write by hand: a " +
				"list, a map and a lock. Nothing is walked there either; but at random places each look into the memory misses the caches, for us as for them. " +
				"What such a look costs is a line of its own. There are two at the least, to find the submission by its number and to deliver its outcome, and these alone take longer than a whole cancel in a short queue.",
			lines: []line{
				{figure: "shallow", title: "cancel a queued submission, 100 queued", unit: "ns"},
				{figure: "deep", title: "the same with 100k queued, in the order of submission", unit: "ns", targets: []target{timesLine(2, "cancel", "shallow", "with 100")}},
				{figure: "random", title: "the same with 100k queued, at random", unit: "ns", targets: []target{times(1.5, bare)}},
				{figure: "wide", title: "the same with 100k queued, for 1,000 keys, at random", unit: "ns", targets: []target{times(1.5, bare)}},
			},
			measure: measureCancels,
		},
		{
			name: "look", family: controlFamily, by: []string{bare},
			how:     "A look at one of 100k pieces of memory as large as what belongs to a submission that waits, at random, as soon as the one before has said where it is.",
			lines:   []line{{figure: "look", title: "one look at one of 100k pieces of memory", unit: "ns"}},
			measure: measureLooks,
		},
		{
			name: "hand-over", family: controlFamily, by: mine,
			how: "1,000 submissions that do nothing wait for one key. Time from the end of the owner before them to the outcome of the last, per task. Go gives a new goroutine " +
				"as much stack as those that there are use on average: among 1,000 goroutines that only wait it is the least there is.",
			lines: []line{
				{figure: "alone", title: "hand-over: an owner ends, the next runs and ends", unit: "ns"},
				{figure: "crowded", title: "the same among 1,000 idle goroutines", unit: "ns"},
				{figure: "allocs", title: "one hand-over", unit: "allocs"},
			},
			measure: measureHandOver,
		},
	}
}

func decisionLines() []line {
	var lines []line
	for _, a := range []struct {
		admission controller.Admission
		title     string
	}{{controller.Queue, "Queue"}, {controller.Replace, "Replace"}, {controller.DropIfRunning, "DropIfRunning"}} {
		base, title := a.admission.String(), "submit with "+a.title+" to a busy slot, "
		lines = append(
			lines,
			line{figure: base + "-100", title: title + "100 queued", unit: "µs", targets: []target{atMost(1)}},
			line{
				figure: base + "-100k", title: title + "100k queued", unit: "µs",
				targets: []target{atMost(1), timesLine(2, "decisions", base+"-100", "with 100")},
			},
		)
	}
	return lines
}

func keysLines() []line {
	lines := []line{{figure: "start", title: "100k one-shot tasks from 64 goroutines by `Start`, without keys", unit: "ns"}}
	for _, t := range throughputs {
		targets := []target{timesLine(1/0.6, "keys", "start", "`Start`")}
		if t.name != "10k" { // flat, whatever the number
			targets = append(targets, timesLine(1.3, "keys", "10k", "over 10k keys"))
		}
		lines = append(lines, line{figure: t.name, title: "100k submissions over " + t.name + " keys", unit: "ns", targets: targets})
	}
	return append(lines,
		line{figure: "start-all", title: "100k by `Start`, all before any is awaited", unit: "ns"},
		line{figure: "10k-all", title: "100k over 10k keys, all before any is awaited", unit: "ns", targets: []target{timesLine(1/0.6, "keys", "start-all", "`Start`")}},
	)
}
