package storetest

import "github.com/taskvisor/taskvisor/persist"

// A move is one thing that is done in a history.
type move struct {
	act    act
	how    byte
	drafts []draft        // of a commit that has not been played yet
	steps  []persist.Step // of one that has
	id     persist.ID     // to look at
	query  persist.PastQuery
}

type act uint8

const (
	commit act = iota
	doubt      // a commit of which it is not known whether it is done
	look
	list
	reopen
	crash
	glance // open and close without Recover
)

// A draft is a step whose job is chosen when it is played: from the jobs that there are
// then. From then on the choice stands, so that the rest of a history stays as it is when
// something is left out.
type draft struct{ verb, who, how byte }

// maxMoves bounds how long a history takes, which the fuzzer would otherwise stretch.
const maxMoves = 200

// decode reads moves until the bytes are used up. All bytes mean something.
func decode(history []byte) []move {
	var moves []move
	next := func() byte {
		if len(history) == 0 {
			return 0
		}
		b := history[0]
		history = history[1:]
		return b
	}
	for len(history) > 0 && len(moves) < maxMoves {
		b := next()
		m := move{act: acts[b%16], how: b >> 4}
		switch m.act {
		case commit, doubt:
			// None is possible.
			for range b >> 4 % 6 {
				m.drafts = append(m.drafts, draft{next(), next(), next()})
			}
		case look:
			m.id = persist.ID(next())
		case list:
			m.query = query(next(), next())
		}
		moves = append(moves, m)
	}
	return moves
}

var acts = [16]act{
	commit, commit, commit, commit, commit, commit, commit, commit, commit,
	doubt, look, look, list, reopen, crash, glance,
}

func query(b, c byte) persist.PastQuery {
	q := persist.PastQuery{Limit: int(b % 8)}
	if b&8 != 0 {
		q.Type = types[b>>4%4]
	}
	if b&64 != 0 {
		q.Before = uint64(1 + c%32)
	}
	for _, kind := range persist.Endings() {
		if b&128 != 0 && c>>kind&1 != 0 {
			q.Kinds = append(q.Kinds, kind)
		}
	}
	return q
}

// step makes of d a step, in a store where last is the highest ID so far.
func (d draft) step(last persist.ID) persist.Step {
	fence := uint64(d.how % 4)
	kind := 1 + persist.Ending(d.how>>2)%persist.DependencyFailed
	var s persist.Step
	switch verbs[d.verb%16] {
	case persist.Insert:
		id := last + 1
		if d.who >= 224 {
			id += persist.ID(d.who-223) * 3
		}
		// The rest of an insert is ignored.
		s = persist.Step{Verb: persist.Insert, ID: 1, Record: record(id, d.how), State: state(9, 9)}
	case persist.Amend:
		s = amend(d.job(last), fence)
	case persist.Resolve:
		s = resolve(d.job(last), fence, kind)
		s.End.Seq = uint64(d.who)
	case persist.Revive:
		s = revive(d.job(last), fence)
	case persist.Prune:
		return prune(kind, int(d.who%4))
	default:
		// As an insert, out of order.
		return persist.Step{Verb: persist.Insert, Record: record(min(d.job(last), last), d.how)}
	}
	if s.Verb != persist.Insert {
		s.State = state(fence, d.how)
	}
	return s
}

// verbs are what a draft's verb chooses from; none is an insert out of order.
var verbs = [16]persist.Verb{
	persist.Insert, persist.Insert, persist.Insert, persist.Insert, persist.Insert,
	persist.Amend, persist.Amend, persist.Amend,
	persist.Resolve, persist.Resolve, persist.Resolve, persist.Resolve,
	persist.Revive, persist.Prune, persist.Prune, 0,
}

// job chooses a job: mostly one of the last, otherwise any, and at times one that there
// has not been.
func (d draft) job(last persist.ID) persist.ID {
	if d.who < 128 {
		return persist.ID(max(int(last)+1-int(d.who%10), 0))
	}
	return persist.ID(d.who) % (last + 3)
}
