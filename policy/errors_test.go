package policy

import (
	"errors"
	"testing"
	"time"
)

// refused checks that err refuses field.
func refused(t *testing.T, err error, field string) {
	t.Helper()
	var f *FieldError
	switch {
	case field == "" && err != nil:
		t.Errorf("refused: %v", err)
	case field == "":
	case !errors.As(err, &f) || !errors.Is(err, ErrInvalid):
		t.Errorf("got %v, want a FieldError that is ErrInvalid", err)
	case f.Field != field:
		t.Errorf("refused %q, want %s refused", err, field)
	}
}

func TestFieldErrorText(t *testing.T) {
	for want, err := range map[string]error{
		"Backoff.Factor: 0.5: must be at least 1":                                 Backoff{Factor: 0.5}.Validate(),
		"Backoff.First: 2s: must not exceed Max, 1s":                              Exponential(2*time.Second, time.Second).Validate(),
		"Backoff.Custom: must not be nil":                                         Custom(nil).Validate(),
		"Backoff.Shape: shape(9): is not a known value":                           Backoff{Shape: 9}.Validate(),
		"Backoff.Step: 1s: needs the linear shape, not exponential":               Backoff{Step: time.Second}.Validate(),
		"Intensity.Within: 0s: must be set together with Restarts":                Intensity{Restarts: 1}.Validate(),
		"MaxRetries: -1: must not be negative; NoRetry allows none":               Rules{MaxRetries: -1}.Validate(),
		"OnPanic: on_panic(7): is not a known value":                              Rules{OnPanic: 7}.Validate(),
		"Backoff.Jitter: full: must not be set together with Custom":              custom().WithJitter(FullJitter).Validate(),
		"Backoff.Max: 1s: needs a shape other than none":                          Backoff{Shape: ShapeNone, Max: time.Second}.Validate(),
		"Backoff.Jitter: decorrelated: needs the exponential shape, not constant": Constant(time.Second).WithJitter(DecorrelatedJitter).Validate(),
	} {
		if err == nil || err.Error() != want {
			t.Errorf("\n got %v\nwant %s", err, want)
		}
	}
}

func TestFieldErrorIsNothingElse(t *testing.T) {
	if errors.Is(&FieldError{Field: "X"}, errors.New("invalid setting")) {
		t.Error("a FieldError is an error that only reads like ErrInvalid")
	}
}
