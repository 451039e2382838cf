package policy_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/taskvisor/taskvisor/policy"
)

func show(b policy.Backoff, n int) {
	series := b.New()
	for range n {
		fmt.Print(series.NextBackOff(), " ")
	}
	fmt.Println()
}

func ExampleExponential() {
	show(policy.Exponential(time.Second, 10*time.Second).WithJitter(policy.NoJitter), 6)
	// Output: 1s 2s 4s 8s 10s 10s
}

func ExampleLinear() {
	show(policy.Linear(time.Second, 2*time.Second, 6*time.Second).WithJitter(policy.NoJitter), 5)
	// Output: 1s 3s 5s 6s 6s
}

func ExampleConstant() {
	show(policy.Constant(5*time.Second), 3)
	// Output: 5s 5s 5s
}

func ExampleNoBackoff() {
	show(policy.NoBackoff(), 3)
	// Output: 0s 0s 0s
}

func ExampleCustom() {
	once := func() backoff.BackOff {
		return backoff.WithMaxRetries(backoff.NewConstantBackOff(time.Second), 1)
	}
	show(policy.Custom(once), 2) // backoff.Stop is -1ns
	// Output: 1s -1ns
}

func ExampleBackoff_New() {
	series := policy.Backoff{Factor: 10, Jitter: policy.NoJitter}.New()
	fmt.Println(series.NextBackOff(), series.NextBackOff())
	series.Reset() // the task has been well for a while
	fmt.Println(series.NextBackOff())
	// Output:
	// 200ms 2s
	// 200ms
}

func ExampleBackoff_WithJitter() {
	for _, j := range []policy.Jitter{policy.NoJitter, policy.EqualJitter, policy.FullJitter, policy.DecorrelatedJitter} {
		low, high := policy.Exponential(time.Second, time.Minute).WithJitter(j).Bounds(1)
		fmt.Println(j, low, high)
	}
	// Output:
	// none 2s 2s
	// equal 1s 2s
	// full 0s 2s
	// decorrelated 1s 9s
}

func ExampleBackoff_Bounds() {
	var b policy.Backoff
	for _, retry := range []int{0, 3, 100} {
		low, high := b.Bounds(retry)
		fmt.Printf("retry %d comes after %v to %v\n", retry, low, high)
	}
	// Output:
	// retry 0 comes after 100ms to 200ms
	// retry 3 comes after 800ms to 1.6s
	// retry 100 comes after 15s to 30s
}

func ExampleBackoff_Validate() {
	err := policy.Backoff{Factor: 0.5}.Validate()
	fmt.Println(err)
	fmt.Println(errors.Is(err, policy.ErrInvalid))
	// Output:
	// Backoff.Factor: 0.5: must be at least 1
	// true
}

func ExampleRules_Next() {
	rules := policy.Rules{MaxRetries: 2}
	for failures := 1; failures <= 3; failures++ {
		fmt.Println(failures, rules.Next(policy.Failed, failures))
	}
	fmt.Println(rules.Next(policy.Succeeded, 0))
	// Output:
	// 1 retry
	// 2 retry
	// 3 give_up
	// complete
}

func ExampleRules_Validate() {
	fmt.Println(policy.Rules{Restart: policy.Never, MaxRetries: 3}.Validate())
	// Output: MaxRetries: 3: must not be set with Restart never, which makes no retries
}

func ExampleRepeatDelay() {
	fmt.Println(policy.RepeatDelay(time.Minute, 3*time.Second))
	fmt.Println(policy.RepeatDelay(0, 3*time.Second))
	fmt.Println(policy.RepeatDelay(0, 0))
	// Output:
	// 1m0s
	// 0s
	// 1ms
}

func ExampleIntensity() {
	limit := policy.Intensity{Restarts: 3, Within: time.Minute}
	fmt.Println(limit.Validate(), limit.IsZero())
	fmt.Println(policy.Intensity{Restarts: 3}.Validate())
	// Output:
	// <nil> false
	// Intensity.Within: 0s: must be set together with Restarts
}

func ExampleWindow_Allow() {
	limit := policy.Intensity{Restarts: 2, Within: 10 * time.Second}
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

	var restarts policy.Window
	for _, after := range []time.Duration{0, 4 * time.Second, 8 * time.Second, 12 * time.Second} {
		now := start.Add(after)
		fmt.Println(after, restarts.Allow(limit, now), restarts.InUse(limit, now))
	}
	// Output:
	// 0s true 1
	// 4s true 2
	// 8s false 2
	// 12s true 2
}
