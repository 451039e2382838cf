package persist

import "fmt"

func (q *Queue) Dump() string {
	b := q.book
	s := fmt.Sprintf("phase %v running %d workers %d owing %d alone %v suspects %d cautious %v inbox %d broken %v fresh %d\n", b.phase, b.running, b.workers, b.owing, b.alone, len(b.suspects), b.cautious, len(b.inbox), b.broken, len(b.fresh))
	for _, d := range b.domains {
		s += fmt.Sprintf("domain %q running %d at %d lanes %d\n", d.name, d.running, d.at, len(d.lanes.members))
	}
	for _, e := range b.jobs {
		s += fmt.Sprintf("job %d place %d suspect %v claim %v lane %v more %+v\n", e.id, e.place, e.suspect, e.claim != nil, e.lane != nil, e.extra())
	}
	return s
}
