package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
)

const preamble = `# Benchmarks

taskvisor beside goroutines written by hand (*bare*, the physical limit), beside suture, proto.actor and errgroup, and beside Erlang/OTP; and its durable
queue beside bbolt by hand and the queues of others. The figures are written by the program in [bench/](../bench); do not edit them here.

Trust the ratios, not the figures: those depend on the machine and on what else it does. A number in brackets is the ratio to bare, or to bbolt by hand. "–" means that
a competitor has no such notion, "absent" that what it needs is not there. *Spread of ours* is the distance from our best round to our
worst, as a share of our median; a verdict that is closer to its target than that says little.

`

const remarks = `## Where the time goes

- **A one-shot child** costs a goroutine and its switches, as by hand, and on top: six allocations, which with their collection are a third of
  the rest (the record of the child with its first attempt, its label in four pieces), two looks at the clock, a name
  that is taken and given back, and the locks around them. The labels are what finds the goroutines of a stuck task.
- **Failure to re-entry** is some 0.4 µs while the caches are warm. After a millisecond of rest everything is fetched anew, code and data: the
  figure above is that of the memory, and grows with whatever else the machine does.
- **One for all** stops child after child, each by waking its goroutine and being woken by it, and starts a new goroutine for each.
- **Publish** copies the event once for each subscriber.
- **A submission** is prepared without the lock, which takes more than half of a decision: its record, label and ticket are allocated then. One that finds
  its slot idle pays for a start, and on top for the ticket, for a slot, and for its entry under its number.
- **Queues** are linked lists, and submissions are found by number, so nothing is walked. Still, 100k submissions do not fit into the caches: to cancel one
  at random means to fetch its entry, its neighbours' and its handle from memory, and two such looks cost more than a whole cancel in a short queue. The line with
  1,000 queues pays the same for queues that are short, and so does what is written by hand: it becomes about ten times slower, since it does so little else.
- **Submissions that nobody awaits** before all are made wait for their key, ten at a time, and with them tens of thousands of records that were just written: they are
  fetched again when their turn comes. Those by ` + "`Start`" + ` run at once, and are gone before the next.
- **A hand-over** is done by the owner that ends, from the bottom of its stack, and the next one takes over its goroutine.
- **Draining** costs each job a child, a JSON document, and in the file one put, the removal of one that is too old, and its share of a commit. To decode the document is a
  seventh of that; for a type that is not plain, and so is left to ` + "`encoding/json`" + `, it would be a third.
- **A batch** is prepared by its caller, who encodes and hashes each payload, and then planned and put by the writer: one after the other, as one
  caller has it. To encode, hash, index and seal the jobs takes about as long as bbolt takes to store them, also by hand and with nothing else done, as the line
  below it shows. What makes them jobs, their places in line and the caller's results, comes on top of that; that several of them share one put makes up for most of it.

`

// writeDocument writes the tables together with what one must know to judge them.
func writeDocument(path string, r report, c conditions) error {
	var b bytes.Buffer
	b.WriteString(preamble)
	writeConditions(&b, c)
	if err := r.tables(&b); err != nil {
		return err
	}
	b.WriteString(remarks)
	writeMethod(&b, r, c)
	writeCompetitors(&b, r)
	return os.WriteFile(path, b.Bytes(), 0o644)
}

func writeConditions(b *bytes.Buffer, c conditions) {
	fmt.Fprintf(b, "## Conditions\n\n")
	fmt.Fprintf(b, "- %s, %s, kernel %s\n", c.golang, c.platform, c.kernel)
	fmt.Fprintf(b, "- %s, %d cores\n", c.cpu, c.cores)
	var peers []string
	for _, path := range []string{
		"github.com/thejerf/suture/v4", "github.com/asynkron/protoactor-go", "golang.org/x/sync", "go.etcd.io/bbolt",
		"github.com/mikestefanello/backlite", "maragu.dev/goqite", "modernc.org/sqlite", "github.com/riverqueue/river", "github.com/hibiken/asynq",
	} {
		peers = append(peers, path+" "+c.versions[path])
	}
	fmt.Fprintf(b, "- %s; Erlang/OTP %s; %s\n\n", strings.Join(peers, ", "), c.erlang, strings.Join(c.servers, "; "))
}

func writeMethod(b *bytes.Buffer, r report, c conditions) {
	fmt.Fprintf(b, `## How each line is measured

Every cell is a process of its own, so that none inherits another's heap or scheduler. In each of %d rounds every work is done by all
competitors in turn, another one first in each round. The tables have the medians over the rounds. What children do is the same for all: they say that they have
been entered, and then wait for their stop, or fail, as the line demands.

`, c.rounds)
	for _, w := range r.works {
		fmt.Fprintf(b, "- **%s**: %s", w.name, w.how)
		if w.rounds > 0 && w.rounds < c.rounds {
			fmt.Fprintf(b, " In %d rounds only.", w.rounds)
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
}

func writeCompetitors(b *bytes.Buffer, r report) {
	b.WriteString("## How each competitor is set up\n\n")
	for _, p := range peers {
		if slices.ContainsFunc(r.works, func(w work) bool { return slices.Contains(w.by, p.name) }) {
			fmt.Fprintf(b, "- **%s**: %s\n", p.name, p.config)
		}
	}
}
