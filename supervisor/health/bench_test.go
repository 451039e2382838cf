package health

import (
	"fmt"
	"testing"

	"github.com/taskvisor/taskvisor/supervisor"
)

// BenchmarkReadiness is a probe's own work, without reading the tree.
func BenchmarkReadiness(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			children := make([]supervisor.Node, n)
			for i := range children {
				children[i] = task(fmt.Sprint("/app/", i))
			}
			app := still(tree(children...))
			c, err := New(app, Config{})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				_ = c.Readiness()
			}
		})
	}
}

// still is an app that does not change.
type still supervisor.Node

func (s still) Tree() supervisor.Node { return supervisor.Node(s) }
