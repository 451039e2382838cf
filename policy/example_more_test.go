package policy_test

import (
	"fmt"
	"time"

	"github.com/taskvisor/taskvisor/policy"
)

// The zero Backoff says nothing and is inherited; one that states the defaults is not.
func ExampleBackoff_IsZero() {
	fmt.Println(policy.Backoff{}.IsZero())
	fmt.Println(policy.Backoff{First: policy.DefaultFirst}.IsZero())
	fmt.Println(policy.NoBackoff().IsZero())
	// Output:
	// true
	// false
	// false
}

// Backoffs are equal when the same fields are set to the same values.
func ExampleBackoff_Equal() {
	b := policy.Constant(time.Second)
	fmt.Println(b.Equal(policy.Constant(1000 * time.Millisecond)))
	fmt.Println(b.Equal(b.WithJitter(policy.FullJitter)))
	// Output:
	// true
	// false
}

// The window slides: restarts that are long ago do not count any more.
func ExampleWindow_InUse() {
	limit := policy.Intensity{Restarts: 5, Within: 10 * time.Second}
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

	var restarts policy.Window
	restarts.Allow(limit, start)
	restarts.Allow(limit, start.Add(6*time.Second))
	for _, after := range []time.Duration{6 * time.Second, 12 * time.Second, 18 * time.Second} {
		fmt.Println(after, restarts.InUse(limit, start.Add(after)))
	}
	// Output:
	// 6s 2
	// 12s 1
	// 18s 0
}
