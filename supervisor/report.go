package supervisor

import (
	"fmt"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
)

// StopReport is how the stop of a supervisor went: what was stopped when, how long each
// took, and what did not return. Its String is for people. The JSON names and labels are
// stable, durations are in seconds there.
type StopReport struct {
	// Path of the supervisor; "/" for a root without a name.
	Path string `json:"path"`
	// Began is when the stop began to stop children, after a lame-duck delay.
	Began time.Time `json:"began"`
	// Took is how long it took until all of them had ended.
	Took time.Duration `json:"took"`
	// Err is why the supervisor ended by itself, nil when it was told to stop. Error is
	// its text. What a stop left behind is no reason for it, and stands in Stops.
	Err   error  `json:"-"`
	Error string `json:"error,omitempty"`
	// Stops are the tasks that ended after the stop had begun, in the order in which
	// they did; then, marked as Earlier, those that had been abandoned before and have
	// not returned. A task that was never begun is not among them.
	Stops []StoppedTask `json:"stops,omitempty"`
	// Omitted is how many more ended. Of those that do not stand out the first 1,000
	// are in Stops; those that were abandoned, returned an error or took more than a
	// second all are.
	Omitted int `json:"omitted,omitempty"`
	// Rejected is how many had been submitted, and were not let in any more.
	Rejected int `json:"rejected,omitempty"`
}

// StoppedTask is one task in a StopReport.
type StoppedTask struct {
	Path string `json:"path"`
	// ID is 0 for one that was left behind by an earlier run of a supervisor below.
	ID events.ID `json:"id,omitempty"`
	// Told is when it was told to return: by the stop, or before by something else, such
	// as its timeout. It is zero for one that ended by itself while others were stopped.
	Told time.Time `json:"told,omitzero"`
	// Took is how long it then took to end, or to be given up; for one that is Earlier,
	// how long it has not returned. It is zero where Told is, but for Earlier ones.
	Took    time.Duration  `json:"took"`
	Outcome events.Outcome `json:"outcome"`
	// Reason says why it was stopped or abandoned, see actor.Outcome.
	Reason events.Reason `json:"reason,omitzero"`
	// Err is the last error of one that failed, also of one that would have been tried
	// again but for the stop. Error is its text.
	Err   error  `json:"-"`
	Error string `json:"error,omitempty"`
	// StopErr is what it returned after it had been told to stop, if that was more than
	// its context's own error. StopError is its text.
	StopErr   error  `json:"-"`
	StopError string `json:"stop_error,omitempty"`
	// Stuck says where an abandoned task was when it was given up.
	Stuck *actor.StuckError `json:"stuck,omitempty"`
	// Earlier says that it was abandoned before the stop began, and still runs.
	Earlier bool `json:"earlier,omitempty"`
	// Below is the stop of a supervisor, nil if it was not running, or was itself
	// abandoned. It says more than the first line of the supervisor's own error, which
	// is all that Error and StopError keep then.
	Below *StopReport `json:"below,omitempty"`
}

// StopReport returns how the stop of the last run that ended went, or nil before. The
// reports of supervisors below are in it, if they were stopped with it. During a run it
// is that of the run before.
func (s *Supervisor) StopReport() *StopReport {
	log := s.lastStop.Load()
	if log == nil {
		return nil
	}
	return log.report()
}

// report puts the log into the form for users. It calls their errors.
func (l *stopLog) report() *StopReport {
	r := &StopReport{
		Path: l.path, Began: l.began.after(l.epoch), Took: l.took, Err: l.err, Error: text(l.err),
		Stops: make([]StoppedTask, len(l.ends)), Omitted: l.omitted, Rejected: l.rejected,
	}
	for i := range l.ends {
		r.Stops[i] = l.ends[i].task(l.epoch)
	}
	return r
}

func (e *stopEnd) task(epoch time.Time) StoppedTask {
	t := StoppedTask{
		Path: e.path, ID: e.id, Told: e.told.after(epoch), Took: e.took,
		Outcome: e.outcome.Kind, Reason: e.outcome.Reason,
		Err: e.err, Error: text(e.err), StopErr: e.outcome.StopErr, StopError: text(e.outcome.StopErr),
		Stuck: e.stuck(), Earlier: e.earlier,
	}
	if e.below != nil {
		t.Error, t.StopError = firstLine(t.Error), firstLine(t.StopError)
		t.Below = e.below.report()
	}
	return t
}

// text is what an error says. A user's may panic; fmt does not.
func text(err error) string {
	if err == nil {
		return ""
	}
	return fmt.Sprint(err)
}
