//go:build unix

package torture

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/taskvisor/taskvisor/persist"
)

// audit compares a file that nobody uses with what was heard. If it is the last one, nothing
// may be left to do.
func (w *witness) audit(ctx context.Context, s persist.Store, last bool) {
	found := map[persist.ID]*persist.Job{}
	pruned := map[persist.ID]bool{}
	next := persist.ID(1)
	for ; ; next++ {
		f, err := s.Job(ctx, next)
		if errors.Is(err, persist.ErrNotFound) {
			break
		}
		switch {
		case errors.Is(err, persist.ErrPruned):
			pruned[next] = true
			continue
		case err != nil:
			w.fault(w.ids[next], "job %d cannot be read: %v", next, err)
			continue
		}
		var p padded
		if err := json.Unmarshal(f.Payload, &p); err != nil || w.jobs[p.N] == nil {
			w.fault(nil, "job %d is what nobody submitted (%v): %.300s", next, err, f.Payload)
			continue
		}
		j := w.jobs[p.N]
		w.bind(j, next)
		j.sure = true
		found[next] = f
		if p.task != j.task || f.Type != j.Type || f.Group != j.Group || p.Filler != filler(p.Pad) {
			w.fault(j, "it is not what was submitted: %+v", f.Record)
		}
		w.compare(j, f, last)
	}

	for _, j := range w.jobs {
		if found[j.id] != nil && w.ids[j.id] == j {
			continue
		}
		switch {
		case j.id != 0 && pruned[j.id] && w.ids[j.id] == j:
			w.forgotten(j)
		case j.acked && !j.Soft:
			w.fault(j, "it was acknowledged, and is not there")
		case j.sure:
			w.fault(j, "it was durable, and is not there")
		}
	}
	for _, all := range w.pending {
		w.wholeOrNot(all)
	}
}

// compare looks at one job.
func (w *witness) compare(j *job, f *persist.Job, last bool) {
	if !f.Ended() {
		switch {
		case j.ended != 0:
			w.fault(j, "it was told to be %v, and has not ended: %+v", j.ended, f.State)
		case last:
			w.fault(j, "nothing is left to do, and it has not ended: %+v", f.State)
		case f.Attempts < j.used:
			w.fault(j, "%d attempts were told to be used up, and these are: %+v", j.used, f.State)
		}
		if f.Failures > j.Retries {
			w.fault(j, "it may be retried %d times: %+v", j.Retries, f.State)
		}
		return
	}
	kind := f.End.Kind
	if j.ended != 0 && j.ended != kind && (j.ended != persist.Cancelled || kind != persist.Superseded) {
		w.fault(j, "it was told to be %v, and is %v", j.ended, kind)
	}
	w.plausible(j, kind)
	if f.Failures > j.Retries+1 {
		w.fault(j, "it may be retried %d times: %+v", j.Retries, f.State)
	}
	if j.touched || j.Key != "" {
		return
	}

	// Nothing but its fate has ended it: neither crashes nor stops have used up anything.
	want := 1
	switch kind {
	case persist.Completed:
		want = j.Fails + 1
	case persist.DeadLetter:
		want = j.Retries + 1
	}
	if f.Attempts != want {
		w.fault(j, "%d attempts are used up, and it should be %d: %+v", f.Attempts, want, f.State)
	}
}

// forgotten looks at a job that has ended so long ago that the file has forgotten it.
func (w *witness) forgotten(j *job) {
	if j.entries == 0 && j.cancels == 0 && j.Key == "" && j.TTL == 0 {
		w.fault(j, "it is forgotten, and never ran")
	}
}

// wholeOrNot looks at jobs that were submitted together.
func (w *witness) wholeOrNot(all []*job) {
	var there, missing *job
	for _, j := range all {
		if j.id != 0 || j.entries > 0 {
			there = j
		} else {
			missing = j
		}
	}
	if there != nil && missing != nil {
		w.fault(missing, "it is not there, and job %d is, which was submitted with it", there.id)
	}
}

// history looks at how much is remembered.
func (w *witness) history(r persist.Recovery, keep, keepDead int) {
	for kind, n := range r.Past {
		limit := keep
		if persist.Ending(kind) == persist.DeadLetter {
			limit = keepDead
		}
		if n > limit+4*w.workers { // those that a crash has ended are forgotten a little later
			w.fault(nil, "%d jobs are remembered that are %v, and it should be %d", n, persist.Ending(kind), limit)
		}
	}
	if n := r.Past[persist.Completed]; n < min(keep, w.ends[persist.Completed]) {
		w.fault(nil, "%d completed jobs are remembered of at least %d, and it should be %d", n, w.ends[persist.Completed], keep)
	}
}
