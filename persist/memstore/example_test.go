package memstore_test

import (
	"context"
	"fmt"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
)

// A memory can be closed, or crash, and be opened again: nothing of it is lost.
func ExampleNew() {
	ctx := context.Background()
	memory := memstore.New()
	for range 2 {
		store, err := memory.Open(ctx)
		if err != nil {
			fmt.Println(err)
			return
		}
		recovery, _ := store.Recover(ctx, func(j *persist.Job) error {
			fmt.Println("job", j.ID, "of type", j.Type)
			return nil
		})
		fmt.Println("clean:", recovery.Clean, "next:", recovery.Next)

		_, err = store.Commit(ctx, []persist.Step{
			{Verb: persist.Insert, Record: &persist.Record{ID: recovery.Next, Type: "mail"}},
		})
		fmt.Println("error:", err)
		memory.Crash()
	}
	// Output:
	// clean: true next: 1
	// error: <nil>
	// job 1 of type mail
	// clean: false next: 2
	// error: <nil>
}
