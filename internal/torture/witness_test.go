//go:build unix

package torture

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/taskvisor/taskvisor/persist"
)

// witness hears what victims tell, one life after the other, and finds what was promised and
// not kept. What a victim did not come to tell, it does not know: then it allows for both.
type witness struct {
	workers int
	life    int
	heard   int64 // lines
	began   int64 // when this life did

	jobs    map[int64]*job       // by the numbers of the submissions
	ids     map[persist.ID]*job  // those whose ID is known
	lostIDs map[persist.ID]*job  // the last one that had the ID and may be lost
	named   map[persist.ID]int64 // IDs that duplicates were sent to, before it is known whose they are
	open    map[*job]bool        // those whose handler runs
	ends    [8]int               // told, by kind
	last    map[string]int       // how often each verb was told in this life
	parked  map[persist.ID]int   // crashes, of those that were told to be parked
	reused  int                  // IDs that were given again after their job was lost
	entered int                  // handlers, in all
	pending map[int64][]*job     // by batch
	kinds   map[string]int       // results, by kind
	faults  []string
}

// job is what is known of a submission.
type job struct {
	task
	life   int // in which it was submitted
	at     int64
	id     persist.ID // 0 while it is not known
	acked  bool       // it is a job of its own, and the victim was told so
	absent string     // why it is no job of its own, if it is not
	sure   bool       // it is durable, as something was told that follows from it

	entries, number int   // how often its handler was entered, and the last number of an attempt
	lastIn          int64 // when, in lines
	mustEnter       int64 // after this it has to be entered again, if it completes
	used            int   // attempts that were told to be used up
	outs            map[int]string
	ok              bool // an attempt has succeeded

	ended   persist.Ending // told, and not revived since
	told    bool           // by an event
	endedAt int64          // when that was, in lines
	over    int64          // when another had taken its place, in lines
	cancels int            // asked for
	revives int            // that were asked for in this life and have no answer yet
	vague   int64          // when one was asked for after an end that was not told
	blurred bool           // two were asked for at a time: it may end in between, and who knows what was told first
	early   int            // that showed before they were answered
	revived int            // answered, in all
	touched bool           // something else than its fate may have ended it

	story []string
}

func newWitness() *witness {
	return &witness{
		jobs: map[int64]*job{}, ids: map[persist.ID]*job{}, lostIDs: map[persist.ID]*job{}, named: map[persist.ID]int64{},
		open: map[*job]bool{}, parked: map[persist.ID]int{}, pending: map[int64][]*job{}, kinds: map[string]int{}, last: map[string]int{},
	}
}

const maxFaults = 10

// fault takes down what was not kept, with all that was heard of the job.
func (w *witness) fault(j *job, format string, args ...any) {
	if len(w.faults) >= maxFaults {
		return
	}
	text := fmt.Sprintf(format, args...)
	if j != nil {
		text = fmt.Sprintf("submission %d, job %d: %s\n\t%s", j.N, j.id, text, strings.Join(lastOf(j.story, 60), "\n\t"))
	}
	w.faults = append(w.faults, fmt.Sprintf("life %d: %s", w.life, text))
}

func lastOf(lines []string, n int) []string { return lines[max(0, len(lines)-n):] }

// note adds a line to the story of a job.
func (w *witness) note(j *job, line string) {
	j.story = append(j.story, fmt.Sprintf("life %d, line %d: %s", w.life, w.heard, line))
}

// hear takes in a line.
func (w *witness) hear(line string) {
	w.heard++
	verb, rest, _ := strings.Cut(line, " ")
	w.last[verb]++
	a := args{strings.Fields(rest)}
	switch verb {
	case "sub":
		w.submitted(rest)
	case "ack":
		w.acknowledged(line, a.int(0), a.text(1), a.id(2), a.id(3))
	case "nak":
		w.refused(line, a.int(0), a.text(1))
	case "in":
		w.enter(line, a.id(0), a.int(1), int(a.int(2)), a.text(3) == "true")
	case "out":
		w.leave(line, a.id(0), a.int(1), int(a.int(2)), a.text(3))
	case "parked":
		w.parked[a.id(0)] = int(a.int(1))
		fallthrough
	case "end", "done", "again", "cancel", "cancelled", "uncancelled", "revive", "revived", "unrevived", "maybe", "release", "stuck":
		// Of a job whose submission was not answered, and that never ran, nobody knows.
		if j := w.ids[a.id(0)]; j != nil {
			w.note(j, line)
			w.about(j, verb, a)
		}
		if verb == "stuck" {
			w.fault(w.ids[a.id(0)], "nothing is left to do, and it has not ended: %s", line)
		}
	case "fault":
		w.fault(w.ids[a.id(1)], "%s", rest)
	case "born", "compacted", "ready", "dry", "quiet", "late", "bye":
	default:
		w.fault(nil, "what is %q?", line)
	}
}

// args are the words of a line. What is not there is zero.
type args struct{ words []string }

func (a args) text(i int) string {
	if i < len(a.words) {
		return a.words[i]
	}
	return ""
}

func (a args) int(i int) int64 {
	n, _ := strconv.ParseInt(a.text(i), 10, 64)
	return n
}

func (a args) id(i int) persist.ID { return persist.ID(a.int(i)) }

func (a args) ending(i int) (e persist.Ending) {
	_ = e.UnmarshalText([]byte(a.text(i)))
	return e
}

func (w *witness) submitted(text string) {
	j := &job{life: w.life, at: w.heard, outs: map[int]string{}}
	if err := json.Unmarshal([]byte(text), &j.task); err != nil || w.jobs[j.N] != nil {
		w.fault(nil, "cannot be submitted (%v): %s", err, text)
		return
	}
	w.jobs[j.N] = j
	if j.Batch != 0 {
		w.pending[j.Batch] = append(w.pending[j.Batch], j)
	}
	w.note(j, text)
}

func (w *witness) acknowledged(line string, n int64, result string, id, other persist.ID) {
	j := w.jobs[n]
	w.note(j, line)
	w.kinds[result]++
	switch result {
	case "inserted", "requeued", "replaced":
		j.acked = true
		w.bind(j, id)
		if o := w.ids[other]; o != nil && result == "replaced" {
			w.note(o, line)
			o.touched = true
			if !j.Soft && o.revives+o.revived == 0 { // else it was told before that is durable, or too late
				o.over = w.heard
			}
		}
	case "duplicate", "upgraded":
		j.absent = "another does what was submitted"
		h := w.ids[id]
		if h == nil {
			w.named[id] = max(w.named[id], j.at)
			return
		}
		w.note(h, line)
		h.mustEnter = max(h.mustEnter, j.at)
	case "rejected":
		j.absent = "it was rejected"
	default:
		w.fault(j, "what is the result %q?", result)
	}
}

func (w *witness) refused(line string, n int64, what string) {
	j := w.jobs[n]
	w.note(j, line)
	if what == "no" {
		j.absent = "its submission was refused"
	}
}

// bind takes note of who has an ID.
func (w *witness) bind(j *job, id persist.ID) {
	if j.absent != "" {
		w.fault(j, "there is a job %d for it, though %s", id, j.absent)
	}
	if j.id != 0 && j.id != id {
		w.fault(j, "it has become two jobs, the other is %d", id)
	}
	if o := w.ids[id]; o != nil && o != j {
		w.fault(j, "its ID %d is also that of submission %d:\n\t%s", id, o.N, strings.Join(lastOf(o.story, 20), "\n\t"))
	}
	if o := w.lostIDs[id]; o != nil && o != j {
		w.reused++
		delete(w.lostIDs, id)
	}
	j.id, w.ids[id] = id, j
	j.mustEnter = max(j.mustEnter, w.named[id])
}

func (w *witness) enter(line string, id persist.ID, n int64, number int, early bool) {
	j := w.jobs[n]
	if j == nil {
		w.fault(nil, "a handler was given what nobody submitted: %s", line)
		return
	}
	w.note(j, line)
	w.bind(j, id)
	if j.ended != 0 && j.ended != persist.Completed && j.revives > 0 {
		w.reopen(j)
		j.early++
	}
	switch {
	case j.ended != 0:
		w.fault(j, "it was entered after it was told to be %v", j.ended)
	case j.over > 0 && (j.over <= w.began || j.lastIn > j.over):
		// Once is fine: it had been given to its handler, which had not said so yet.
		w.fault(j, "it was entered after another had taken its place")
	case w.open[j]:
		w.fault(j, "two of its attempts run at a time")
	case early:
		w.fault(j, "it was entered before its time")
	case number <= j.used:
		w.fault(j, "its attempt %d is made again, after it was told that %d are used up", number, j.used)
	case number > 1 && !consumes(j.outs[number-1]) && !j.touched:
		w.fault(j, "its attempt %d is made, and no attempt %d was used up (it was %q)", number, number-1, j.outs[number-1])
	}
	w.open[j] = true
	w.entered++
	j.entries++
	j.number, j.lastIn = number, w.heard
	w.count(j)
}

// consumes says whether what an attempt told at its end may use it up.
func consumes(out string) bool { return out != "" && out != "ok" && out != "snooze" }

// count looks at the limits.
func (w *witness) count(j *job) {
	group, domain, key := 0, 0, 0
	for o := range w.open {
		if o.Group == j.Group {
			group++
		}
		if strings.HasPrefix(o.Type, limited.Name+"/") {
			domain++
		}
		if o.Type == j.Type && o.Key == j.Key {
			key++
		}
	}
	if limit := groupLimits[j.Group]; limit > 0 && group > limit {
		w.fault(j, "%d of group %q run at a time", group, j.Group)
	}
	if strings.HasPrefix(j.Type, limited.Name+"/") && domain > domainLimit {
		w.fault(j, "%d of its domain run at a time", domain)
	}
	if j.Key != "" && key > 1 {
		w.fault(j, "%d of its key run at a time", key)
	}
	if len(w.open) > w.workers {
		w.fault(j, "%d jobs run at a time, with %d workers", len(w.open), w.workers)
	}
}

func (w *witness) leave(line string, id persist.ID, n int64, number int, how string) {
	j := w.jobs[n]
	w.note(j, line)
	if !w.open[j] || j.id != id || j.number != number {
		w.fault(j, "an attempt ends that has not begun: %s", line)
	}
	delete(w.open, j)
	if !consumes(j.outs[number]) {
		j.outs[number] = how
	}
	j.ok = j.ok || how == "ok"
}

// about hears what was told of a job that is known.
func (w *witness) about(j *job, verb string, a args) {
	switch verb {
	case "end":
		w.end(j, a.ending(1))
	case "done": // maybe long ago, if it was revived since
		if a.ending(1) == persist.Completed {
			w.plausible(j, persist.Completed)
			if j.ended == 0 {
				j.ended, j.sure = persist.Completed, true
			}
		}
	case "again":
		j.sure = true
		j.used = max(j.used, int(a.int(1)))
	case "cancel":
		j.cancels++
		j.touched = true
	case "cancelled":
		j.sure = true
		switch {
		case j.blurred:
		case j.ended == 0:
			j.ended = persist.Cancelled // or superseded before; it is not to be entered any more
		case j.ended == persist.Cancelled, j.ended == persist.Superseded:
		case j.revives > 0 && j.ended != persist.Completed: // one of them came before
			w.reopen(j)
			j.early++
			j.ended = persist.Cancelled
		default:
			w.fault(j, "it was told to be cancelled, and is %v", j.ended)
		}
	case "revive":
		if j.revives++; j.revives > 1 && j.ended != persist.Completed {
			j.blurred = true
			w.reopen(j)
		}
		if j.ended == 0 {
			j.vague = w.heard
		}
	case "revived":
		if j.revives == 0 {
			return // it was asked for before it was known whose the ID is, and that was when it ran
		}
		j.revives--
		j.revived++
		j.sure = true
		switch {
		case j.blurred:
		case j.early > 0:
			j.early--
		case j.vague > 0 && max(j.lastIn, j.endedAt) > j.vague: // that is what has come of it
			j.vague = 0
		default:
			w.reopen(j)
		}
	case "unrevived":
		j.revives = max(j.revives-1, 0)
	}
}

func (w *witness) reopen(j *job) {
	if j.ended == persist.Completed {
		w.fault(j, "it was revived after it was told to be completed")
	}
	j.ended, j.told, j.over = 0, false, 0
}

// end hears that a job has ended, which is durable.
func (w *witness) end(j *job, kind persist.Ending) {
	w.ends[kind]++
	j.sure = true
	if j.blurred && kind != persist.Completed {
		w.plausible(j, kind)
		return
	}
	if j.told {
		if j.revives > 0 && j.ended != persist.Completed {
			w.reopen(j)
			j.early++
		} else {
			w.fault(j, "it has ended twice, as %v and as %v", j.ended, kind)
		}
	}
	if j.ended != 0 && j.ended != kind && (j.ended != persist.Cancelled || kind != persist.Superseded) {
		w.fault(j, "it was told to be %v, and is %v", j.ended, kind)
	}
	j.ended, j.told, j.endedAt = kind, true, w.heard
	w.plausible(j, kind)
}

// plausible looks whether a job may have ended so.
func (w *witness) plausible(j *job, kind persist.Ending) {
	switch kind {
	case persist.Completed:
		switch {
		case !j.ok:
			w.fault(j, "it is completed, and no attempt has succeeded")
		case j.lastIn < j.mustEnter:
			w.fault(j, "it is completed, and was not entered after it was told to do what another was submitted for (line %d)", j.mustEnter)
		}
	case persist.Failed:
		if j.Fate != fatal || !consumes(j.outs[1]) && !j.touched || j.revived > 0 && !j.touched {
			w.fault(j, "it has failed")
		}
	case persist.DeadLetter:
		if j.Fails <= j.Retries || j.Fate == fatal || j.Fate == cancels || j.revived > 0 && !j.touched {
			w.fault(j, "it is a dead letter")
		}
	case persist.Cancelled:
		if j.cancels == 0 && j.Fate != cancels {
			w.fault(j, "it is cancelled, and nobody has asked for that")
		}
	case persist.Superseded:
		j.touched = true
		if j.Key == "" {
			w.fault(j, "it is superseded, and has no key")
		}
	case persist.Expired:
		j.touched = true
		if j.TTL == 0 {
			w.fault(j, "it has expired, and has all the time that it wants")
		}
	default:
		w.fault(j, "it has ended as %v", kind)
	}
}

// died hears that a life is over, in order or not.
func (w *witness) died() {
	clear(w.open)
	clear(w.last)
	for _, j := range w.jobs {
		if j.revives > 0 && j.ended != persist.Completed {
			j.ended, j.told = 0, false // maybe
		}
		j.revives, j.early, j.vague, j.blurred = 0, 0, 0, false
		if j.Soft && !j.sure && j.id != 0 && w.ids[j.id] == j {
			w.lostIDs[j.id] = j
			delete(w.ids, j.id)
		}
	}
	w.life++
	w.began = w.heard
}
