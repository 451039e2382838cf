package boltstore

import (
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/policy"
)

// The fields of a state. Numbers are never used again.
const (
	stateFence protowire.Number = iota + 1
	stateClaimed
	stateAttempts
	stateFailures
	statePriority
	stateRunAt
	stateExpires
	statePause
	stateLast
	stateVerdict
	stateCrashes
	stateParked
	stateEnd
	statePutOff

	stateBy protowire.Number = 16
)

// Those of a failure.
const (
	failureAt protowire.Number = iota + 1
	failureAttempt
	failureExit
	failureText
)

// Those of an end.
const (
	endKind protowire.Number = iota + 1
	endAt
	endSeq
	endElapsed
	endBy
	endText
)

// appendState appends s, and how the job has ended, unless end is nil.
func appendState(b []byte, s *persist.State, end *persist.End) []byte {
	b = appendUint(b, stateFence, s.Fence)
	b = appendBool(b, stateClaimed, s.Claimed)
	b = appendInt(b, stateAttempts, int64(s.Attempts))
	b = appendInt(b, stateFailures, int64(s.Failures))
	b = appendUint(b, statePriority, uint64(s.Priority))
	b = appendTime(b, stateRunAt, s.RunAt)
	b = appendTime(b, stateExpires, s.Expires)
	b = appendInt(b, statePause, int64(s.Pause))
	if l := s.Last; l != nil {
		var at int
		b, at = begin(b, stateLast)
		b = appendTime(b, failureAt, l.At)
		b = appendInt(b, failureAttempt, int64(l.Attempt))
		b = appendUint(b, failureExit, uint64(l.Exit))
		b = appendText(b, failureText, l.Text)
		b = finish(b, at)
	}
	b = appendUint(b, stateVerdict, uint64(s.Verdict))
	b = appendInt(b, stateCrashes, int64(s.Crashes))
	b = appendText(b, stateParked, s.Parked)
	b = appendBool(b, statePutOff, s.PutOff)
	b = appendUint(b, stateBy, uint64(s.By))
	if end == nil {
		return b
	}

	b, at := begin(b, stateEnd)
	b = appendUint(b, endKind, uint64(end.Kind))
	b = appendTime(b, endAt, end.At)
	b = appendUint(b, endSeq, end.Seq)
	b = appendInt(b, endElapsed, int64(end.Elapsed))
	b = appendUint(b, endBy, uint64(end.By))
	b = appendText(b, endText, end.Text)
	return finish(b, at)
}

// readState reads into s, which is zero, and returns the end if there is one.
func readState(b []byte, s *persist.State) (end *persist.End, err error) {
	f := fields{rest: b}
	for f.next() {
		switch f.num {
		case stateFence:
			s.Fence = f.uint()
		case stateClaimed:
			s.Claimed = f.bool()
		case stateAttempts:
			s.Attempts = f.int()
		case stateFailures:
			s.Failures = f.int()
		case statePriority:
			s.Priority = persist.Priority(f.byte())
		case stateRunAt:
			s.RunAt = f.time()
		case stateExpires:
			s.Expires = f.time()
		case statePause:
			s.Pause = f.duration()
		case stateLast:
			s.Last = readFailure(&f)
		case stateVerdict:
			s.Verdict = persist.Ending(f.byte())
		case stateCrashes:
			s.Crashes = f.int()
		case stateParked:
			s.Parked = f.text()
		case statePutOff:
			s.PutOff = f.bool()
		case stateBy:
			s.By = persist.ID(f.uint())
		case stateEnd:
			end = readEnd(&f)
		default:
			f.skip()
		}
	}
	return end, f.err
}

func readFailure(f *fields) *persist.Failure {
	l := &persist.Failure{}
	m := f.message()
	for m.next() {
		switch m.num {
		case failureAt:
			l.At = m.time()
		case failureAttempt:
			l.Attempt = m.int()
		case failureExit:
			l.Exit = policy.Exit(m.byte())
		case failureText:
			l.Text = m.text()
		default:
			m.skip()
		}
	}
	f.done(&m)
	return l
}

func readEnd(f *fields) *persist.End {
	e := &persist.End{}
	m := f.message()
	for m.next() {
		switch m.num {
		case endKind:
			e.Kind = persist.Ending(m.byte())
		case endAt:
			e.At = m.time()
		case endSeq:
			e.Seq = m.uint()
		case endElapsed:
			e.Elapsed = m.duration()
		case endBy:
			e.By = persist.ID(m.uint())
		case endText:
			e.Text = m.text()
		default:
			m.skip()
		}
	}
	f.done(&m)
	if !known(e.Kind) {
		f.fail(errRange)
	}
	return e
}

// known reports whether kind is a way to end.
func known(kind persist.Ending) bool {
	return kind >= persist.Completed && kind <= persist.DependencyFailed
}

// gist is what a step has to know of the state that it changes.
type gist struct {
	fence uint64
	// kind and seq are those of the end, or zero.
	kind persist.Ending
	seq  uint64
}

func (g gist) ended() bool { return g.kind != 0 }

// readGist reads it without allocating.
func readGist(b []byte) (g gist, err error) {
	f := fields{rest: b}
	for f.next() {
		switch f.num {
		case stateFence:
			g.fence = f.uint()
		case stateEnd:
			m := f.message()
			for m.next() {
				switch m.num {
				case endKind:
					g.kind = persist.Ending(m.byte())
				case endSeq:
					g.seq = m.uint()
				default:
					m.skip()
				}
			}
			f.done(&m)
			if !known(g.kind) {
				f.fail(errRange)
			}
		default:
			f.skip()
		}
	}
	return g, f.err
}
