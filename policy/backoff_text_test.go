package policy_test

import (
	"testing"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/taskvisor/taskvisor/policy"
)

func TestABackoffSaysHowLongItsPausesAre(t *testing.T) {
	for want, b := range map[string]policy.Backoff{
		"exponential 200ms to 30s, factor 2, equal jitter": {},
		"exponential 1s to 1m0s, factor 2":                 policy.Exponential(time.Second, time.Minute).WithJitter(policy.NoJitter),
		"exponential 1s to 1m0s, decorrelated jitter":      policy.Exponential(time.Second, time.Minute).WithJitter(policy.DecorrelatedJitter),
		"linear 1s to 1m0s, step 2s, full jitter":          policy.Linear(time.Second, 2*time.Second, time.Minute).WithJitter(policy.FullJitter),
		"constant 5s": policy.Constant(5 * time.Second),
		"none":        policy.NoBackoff(),
		"custom":      policy.Custom(func() backoff.BackOff { return &backoff.ZeroBackOff{} }),
	} {
		if got := b.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
