package actor

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/taskvisor/taskvisor/events"
)

// Outcome is how a task ended for good. Zero is that of one that has not ended. In JSON
// its errors are texts, "error" and "stop_error"; the names are stable.
type Outcome struct {
	// Kind is Completed, Failed, Stopped, or Abandoned: told to end and given up
	// because it did not. One that was given up before a retry that never came
	// has Failed. One that was submitted to a controller may be Rejected.
	Kind events.Outcome `json:"kind"`
	// Reason says why a task was stopped, abandoned or rejected, else it is not set.
	Reason events.Reason `json:"reason,omitzero"`
	// Attempts is how many attempts were made.
	Attempts int `json:"attempts"`
	// Err is the last error of a failed task, the *StuckError of an abandoned one
	// and the *RejectedError of a rejected one; nil otherwise.
	Err error `json:"-"`
	// StopErr is what a stopped task returned after it had been told to stop,
	// if that was more than its context's own error.
	StopErr error `json:"-"`
}

// String says how the task ended, in a few words.
func (o Outcome) String() string {
	switch {
	case o.Kind == 0:
		return "not ended"
	case o.Kind == events.Rejected:
		return fmt.Sprintf("%v (%v)", o.Kind, o.Reason)
	case o.Err != nil:
		return fmt.Sprintf("%v after %d attempt(s): %v", o.Kind, o.Attempts, o.Err)
	case o.Reason != 0:
		return fmt.Sprintf("%v (%v) after %d attempt(s)", o.Kind, o.Reason, o.Attempts)
	}
	return fmt.Sprintf("%v after %d attempt(s)", o.Kind, o.Attempts)
}

// Success reports whether the task completed.
func (o Outcome) Success() bool { return o.Kind == events.Completed }

// plainOutcome is an Outcome as encoding/json treats any struct.
type plainOutcome Outcome

// outcomeJSON is what is written of an Outcome.
type outcomeJSON struct {
	plainOutcome
	Error     string `json:"error,omitempty"`
	StopError string `json:"stop_error,omitempty"`
}

// MarshalJSON returns the outcome with its errors as texts.
func (o Outcome) MarshalJSON() ([]byte, error) {
	return json.Marshal(outcomeJSON{plainOutcome(o), textOf(o.Err), textOf(o.StopErr)})
}

// UnmarshalJSON reads what MarshalJSON has written. The errors are texts then.
func (o *Outcome) UnmarshalJSON(text []byte) error {
	var j outcomeJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	*o = Outcome(j.plainOutcome)
	o.Err, o.StopErr = errorOf(j.Error), errorOf(j.StopError)
	return nil
}

// LogValue returns the group of what is said, under the names of the JSON.
func (o Outcome) LogValue() slog.Value {
	as := []slog.Attr{slog.String("kind", o.Kind.String())}
	if o.Reason != 0 {
		as = append(as, slog.String("reason", o.Reason.String()))
	}
	as = append(as, slog.Int("attempts", o.Attempts))
	if o.Err != nil {
		as = append(as, slog.Any("error", o.Err))
	}
	if o.StopErr != nil {
		as = append(as, slog.Any("stop_error", o.StopErr))
	}
	return slog.GroupValue(as...)
}

// textOf survives an Error method that panics, since fmt does.
func textOf(err error) string {
	if err == nil {
		return ""
	}
	return fmt.Sprint(err)
}

func errorOf(text string) error {
	if text == "" {
		return nil
	}
	return errors.New(text)
}
