package controller_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/policy"
)

// What the end of an owner costs shall not depend on how many others there are.
func BenchmarkTheEndOfAWideSlot(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 50_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var took time.Duration
			for range b.N {
				c := controller.New(controller.Config{Name: "desk", Width: policy.Unlimited})
				stop := run(c)
				for i := range n {
					if _, err := c.Submit(context.Background(), submission(controller.Queue, "k", fmt.Sprint(i), serve)); err != nil {
						b.Fatal(err)
					}
				}
				began := time.Now()
				if err := stop(); err != nil {
					b.Fatal(err)
				}
				took += time.Since(began)
			}
			b.ReportMetric(float64(took.Nanoseconds())/float64(b.N*n), "ns/owner")
		})
	}
}
