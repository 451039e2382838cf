package boltstore_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/boltstore"
)

// A backup is made while the queue runs, and is a file that a queue can be run on.
func ExampleFile() {
	dir, err := os.MkdirTemp("", "jobs")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx := context.Background()
	mails := persist.Define[string]("mail")

	run := func(file *boltstore.Place, use func(*persist.Queue)) {
		queue := persist.New(persist.Config{Store: file, Types: []persist.Known{mails}})
		ctx, stop := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { ended <- queue.Run(ctx) }()
		if err := queue.WaitReady(ctx); err != nil {
			panic(err)
		}
		use(queue)
		stop()
		if err := <-ended; err != nil {
			panic(err)
		}
	}

	file, backup := boltstore.File(filepath.Join(dir, "jobs.db"), boltstore.Options{}), filepath.Join(dir, "backup.db")
	run(file, func(queue *persist.Queue) {
		if _, err := mails.Submit(ctx, queue, "to all"); err != nil {
			panic(err)
		}
		store, err := file.Store()
		if err == nil {
			err = store.BackupFile(ctx, backup)
		}
		fmt.Println("backup:", err)
	})
	_, err = file.Store()
	fmt.Println("afterwards:", err)

	run(boltstore.File(backup, boltstore.Options{CheckOnOpen: true}), func(queue *persist.Queue) {
		fmt.Println("jobs in it:", queue.Counts()[persist.Ready])
	})
	// Output:
	// backup: <nil>
	// afterwards: the queue does not run
	// jobs in it: 1
}
