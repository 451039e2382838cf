package persist

import (
	"math"
	"slices"
	"time"
)

// What a job was submitted with is kept until it runs, as far as there is room: then it need not
// be read again. What is not stored yet is kept in any case.

// keptRest is about how much memory a job takes beyond its texts and its payload, and keptTag a tag
// beyond its own.
const (
	keptRest = 600
	keptTag  = 32
)

// weightOf is about how much memory is freed when a job is not kept any more.
func weightOf(j *Job) int64 {
	n := keptRest + len(j.Payload) + len(j.Key) + len(j.Label) + len(j.Group)
	for _, t := range j.Tags {
		n += keptTag + len(t.Key) + len(t.Value)
	}
	return int64(n)
}

// keep keeps a job, if there is room.
func (b *book) keep(e *entry, p *prepared) {
	if b.kept+weightOf(&p.job) <= b.room {
		b.hold(e, p.lasting())
	}
}

// keepUnstored keeps a job that has taken effect before it is stored.
func (b *book) keepUnstored(e *entry, p *prepared) {
	if e.kept == nil {
		b.hold(e, p.lasting())
	}
	e.unstored = true
	b.unstored++
}

func (b *book) hold(e *entry, j *Job) {
	e.kept, e.weight = j, uint32(min(weightOf(j), math.MaxUint32))
	b.kept += int64(e.weight)
	j.Submitted, j.Record.RunAt = asStored(j.Submitted), asStored(j.Record.RunAt) // as if it had been read
}

func asStored(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Round(0).UTC()
}

// letGo forgets what was kept of a job.
func (b *book) letGo(e *entry) {
	if e.kept != nil {
		b.kept -= int64(e.weight)
		e.kept, e.weight = nil, 0
	}
}

// nowStored takes note that an accepted job is stored.
func (b *book) nowStored(e *entry) {
	e.unstored = false
	b.unstored--
	if b.kept > b.room || e.claim != nil {
		b.letGo(e)
	}
}

// recall returns the job of a claim that is about to begin, if it is kept. From then on it
// belongs to the attempt; but a job that is still to be stored is only lent.
func (b *book) recall(e *entry) (j *Job, lent bool) {
	j = e.kept
	if !e.unstored {
		b.letGo(e)
	}
	return j, e.unstored
}

// again returns a job that was kept as if it had been read before its first attempt, with what its
// handler may write to. The priority is that which it has got meanwhile.
func (j *Job) again(lent bool, p Priority) *Job {
	if lent {
		j = &Job{Record: j.Record}
		j.own()
	}
	j.State = j.InitialState()
	j.State.Priority = p
	return j
}

// own gives a job what its handler may write to.
func (j *Job) own() {
	j.Tags, j.Payload = slices.Clone(j.Tags), slices.Clone(j.Payload)
}
