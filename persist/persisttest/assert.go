package persisttest

import (
	"fmt"
	"strings"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
)

// Inputs returns the inputs of all jobs of a type, ended ones included, in the order of their
// IDs. Those under names that the type had before are its own.
func Inputs[In any](q *Queue, typ *persist.Type[In]) []In {
	q.t.Helper()
	var inputs []In
	for _, s := range submitted(q, typ) {
		inputs = append(inputs, s.in)
	}
	return inputs
}

// AssertSubmitted fails the test unless there is a job of the type, ended or not, whose input
// matches, and returns the first. A nil match matches all.
func AssertSubmitted[In any](q *Queue, typ *persist.Type[In], match func(In) bool) persist.ID {
	q.t.Helper()
	all := submitted(q, typ)
	for _, s := range all {
		if match == nil || match(s.in) {
			return s.id
		}
	}
	q.t.Errorf("no such job of type %q was submitted%s", typ.Name(), list(all))
	return 0
}

// AssertNotSubmitted fails the test if there is a job of the type, ended or not, whose input
// matches. A nil match matches all.
func AssertNotSubmitted[In any](q *Queue, typ *persist.Type[In], match func(In) bool) {
	q.t.Helper()
	for _, s := range submitted(q, typ) {
		if match == nil || match(s.in) {
			q.t.Errorf("job %d of type %q should not have been submitted: %+v", s.id, typ.Name(), s.in)
			return
		}
	}
}

// submission is the input of a job.
type submission[In any] struct {
	id persist.ID
	in In
}

// submitted returns those of a type, under all of its names.
func submitted[In any](q *Queue, typ *persist.Type[In]) []submission[In] {
	q.t.Helper()
	var all []submission[In]
	for _, j := range q.jobs(namesOf(typ)) {
		in, err := typ.Decode(q.Queue, j.Payload)
		if err != nil {
			q.t.Fatalf("the payload of job %d cannot be decoded: %v", j.ID, err)
		}
		all = append(all, submission[In]{j.ID, in})
	}
	return all
}

// namesOf says of a name whether a type has it, or had it before. A queue that knows of no other
// type knows just these.
func namesOf[In any](typ *persist.Type[In]) func(name string) bool {
	alone := persist.New(persist.Config{Store: memstore.New(), Types: []persist.Known{typ}})
	return func(name string) bool {
		_, err := alone.Explain(name)
		return err == nil || name == typ.Name()
	}
}

func list[In any](all []submission[In]) string {
	if len(all) == 0 {
		return ": there is none of that type"
	}
	var b strings.Builder
	b.WriteString(", but")
	for _, s := range all {
		fmt.Fprintf(&b, "\n\tjob %d: %+v", s.id, s.in)
	}
	return b.String()
}

// AssertEnded fails the test unless the job has ended like that.
func (q *Queue) AssertEnded(id persist.ID, kind persist.Ending) {
	q.t.Helper()
	q.settle()
	j := q.job(id)
	switch {
	case !j.Ended():
		q.t.Errorf("%s has not ended: %v%s", title(j), q.why(id), reason(j))
	case j.End.Kind != kind:
		q.t.Errorf("%s has not ended as %v, but as %v%s", title(j), kind, j.End.Kind, reason(j))
	}
}

// title says which job it is.
func title(j *persist.Job) string { return fmt.Sprintf("job %d (%s)", j.ID, j.Type) }

// reason says what has gone wrong last, if anything has.
func reason(j *persist.Job) string {
	if j.Last == nil {
		return ""
	}
	return fmt.Sprintf("\nits last failure, in attempt %d: %s", j.Last.Attempt, j.Last.Text)
}
