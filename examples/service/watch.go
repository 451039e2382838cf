package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/actor/tasks"
	"github.com/taskvisor/taskvisor/persist"
)

// watcher is a task that submits a job for every file without results. What it remembers
// saves work and no more: what there is to do stands in the folder and in the queue.
type watcher struct {
	files folder
	queue *persist.Queue
	every time.Duration

	last map[file]bool // what was there in the last look

	mu    sync.Mutex
	taken map[file]bool // guarded by mu: what needs no job any more
}

// spec asks for a beat, which tasks.Every gives after each look: a watcher that hangs
// on a dead disk is cancelled, and run again like one that fails.
func (w *watcher) spec() actor.Spec {
	return actor.Spec{
		Name:       "watcher",
		Task:       tasks.Every(w.every, w.look),
		AwaitReady: true, // after the first look
		Stall:      w.every + 10*time.Second,
		ResetAfter: 2 * w.every, // after two looks the pauses begin again from the first
	}
}

// look handles no error: what follows one is the business of its supervisor.
func (w *watcher) look(ctx context.Context) error {
	files, err := w.list()
	if err != nil {
		return err
	}
	// Who writes slowly is not interrupted: a file is taken when it has not changed
	// from one look to the next.
	var todo []file
	for f := range files {
		if w.last[f] && !w.has(f) {
			if _, there := w.files.result(f); there {
				w.take(f)
			} else {
				todo = append(todo, f)
			}
		}
	}
	slices.SortFunc(todo, func(a, b file) int { return strings.Compare(a.Name, b.Name) })
	if err := w.submit(ctx, todo); err != nil {
		return err
	}
	w.take(todo...)
	w.forget(files)
	w.last = files
	return nil
}

// take says of files that they have had a job.
func (w *watcher) take(files ...file) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.taken == nil {
		w.taken = map[file]bool{}
	}
	for _, f := range files {
		w.taken[f] = true
	}
}

func (w *watcher) has(f file) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.taken[f]
}

// forget drops what was there in the last look and is not any more.
func (w *watcher) forget(there map[file]bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for f := range w.last {
		if !there[f] {
			delete(w.taken, f)
		}
	}
}

func (w *watcher) list() (files map[file]bool, err error) {
	entries, err := os.ReadDir(string(w.files))
	if err != nil {
		return nil, err
	}
	files = make(map[file]bool, len(entries))
	for _, e := range entries {
		if !e.Type().IsRegular() || checkName(e.Name()) != nil {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has just gone
		}
		if err != nil {
			return nil, err
		}
		files[fileOf(info)] = true
	}
	return files, nil
}

// submit stores a job for each of the files: all of them with one commit. Those that
// have one already are left alone, and so are those whose job was cancelled or has
// failed for good: they wait for somebody to revive it. One that ends just now may get
// another job, which finds that there is nothing left to do.
func (w *watcher) submit(ctx context.Context, files []file) error {
	if len(files) == 0 {
		return nil
	}
	gaveUp, err := w.queue.Past(ctx, persist.PastQuery{
		Type: packing.Name(), Kinds: []persist.Ending{persist.Cancelled, persist.Failed, persist.DeadLetter}, Limit: 10_000,
	})
	if err != nil {
		return err
	}
	ended := make(map[string]bool, len(gaveUp))
	for _, j := range gaveUp {
		ended[j.Key] = true
	}
	var subs []persist.Submission
	for _, f := range files {
		if !ended[f.key()] {
			subs = append(subs, jobFor(f))
		}
	}
	_, err = w.queue.SubmitAll(ctx, subs)
	return err
}
