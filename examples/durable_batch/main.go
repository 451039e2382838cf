// Durable batch makes the thumbnails of a few albums. All of them are submitted
// together, which is one commit; a picture that is there twice is one job. What somebody
// waits for goes first, and no album takes all the workers. Progress is told as it is
// made.
//
//	go run ./examples/durable_batch
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/boltstore"
)

// picture is the input of a job.
type picture struct {
	Album, Name string
	Sizes       int // how many thumbnails it is to have
}

// media is what the types about pictures have in common.
var media = &persist.Domain{Name: "media", Defaults: []persist.Option{persist.WithStall(time.Minute)}}

// thumbs is one of them. A picture has one job at a time, whatever else is said of it.
var thumbs = persist.DefineIn[picture](media, "thumbs").
	KeyedBy(func(p picture) string { return p.Album + "/" + p.Name })

func main() {
	dir, err := os.MkdirTemp("", "taskvisor-")
	if err == nil {
		err = run(context.Background(), os.Stdout, filepath.Join(dir, "albums.db"))
	}
	if err = cmp.Or(err, os.RemoveAll(dir)); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer, db string) error {
	q := persist.New(persist.Config{
		Store:       boltstore.File(db, boltstore.Options{}),
		Handlers:    []persist.Handler{thumbs.Handle(develop)},
		Workers:     3,
		GroupLimit:  2,                        // jobs of an album at a time
		GroupLimits: map[string]int{"raw": 1}, // which take much memory
	})
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- q.Run(ctx) }()
	err := q.WaitReady(ctx)
	if err == nil {
		err = (&lab{log.New(out, "", 0), q}).work(ctx)
	}
	stop()
	return errors.Join(err, <-ended)
}

// develop is the handler. Who tells nothing for a minute is taken for stuck.
func develop(ctx context.Context, p picture) error {
	persist.Progress(ctx, 0, "opened")
	for n := range p.Sizes {
		select {
		case <-time.After(100 * time.Millisecond): // the work
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		persist.Progress(ctx, float64(n+1)/float64(p.Sizes), fmt.Sprintf("%d of %d sizes", n+1, p.Sizes))
	}
	return nil
}

// lab hands in pictures and looks how they get on.
type lab struct {
	say *log.Logger
	q   *persist.Queue
}

func (l *lab) work(ctx context.Context) error {
	began := time.Now()
	l.say.Print("A night's work, with one commit:")
	ids, err := l.submit(ctx, []picture{
		{"holiday", "beach", 1}, {"holiday", "dune", 3}, {"holiday", "sea", 2},
		{"holiday", "beach", 2}, // of those with one key the last counts
		{"raw", "one", 4}, {"raw", "two", 1}, {"wedding", "cake", 3},
	}, persist.WithPriority(persist.Background))
	if err != nil {
		return err
	}

	l.say.Print("Somebody comes and waits:")
	more, err := l.submit(ctx, []picture{
		{"wedding", "cake", 3},  // waits already, and becomes more urgent
		{"holiday", "dune", 3},  // runs already: it may have changed, so that it is made again
		{"holiday", "beach", 2}, // waits already
	}, persist.WithPriority(persist.High))
	if err != nil {
		return err
	}

	l.say.Print("Why they wait:")
	for _, id := range ids[3:] {
		wait, err := l.q.Why(ctx, id)
		if err != nil {
			return err
		}
		if wait.Reason != 0 {
			l.say.Printf("  job %d: %v", id, wait)
		}
	}
	if err := l.lookAround(ctx); err != nil {
		return err
	}
	return l.await(ctx, began, append(ids, more...))
}

// submit stores pictures together, all or none, and tells what becomes of each.
func (l *lab) submit(ctx context.Context, pictures []picture, opts ...persist.Option) (ids []persist.ID, err error) {
	var subs []persist.Submission
	for _, p := range pictures {
		subs = append(subs, thumbs.New(p, persist.WithGroup(p.Album)))
	}
	results, err := l.q.SubmitAll(ctx, subs, opts...)
	if err != nil {
		return nil, err
	}
	for i, r := range results {
		p := pictures[i]
		l.say.Printf("  %-14s job %d, %v", p.Album+"/"+p.Name, r.ID, r.Kind)
		ids = append(ids, r.ID)
	}
	return ids, nil
}

// lookAround tells how far they are after a while.
func (l *lab) lookAround(ctx context.Context) error {
	select {
	case <-time.After(250 * time.Millisecond):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	l.say.Print("After a while:")
	for _, a := range l.q.Active() {
		l.say.Printf("  %-14s %3.0f%% %s", a.Key, 100*a.Progress, a.Message)
	}
	return nil
}

// await tells when each of the jobs began, and when it was done.
func (l *lab) await(ctx context.Context, began time.Time, ids []persist.ID) error {
	l.say.Print("What has become of them:")
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		j, err := l.q.Await(ctx, id)
		if err != nil {
			return err
		}
		done := j.End.At.Sub(began).Round(10 * time.Millisecond)
		l.say.Printf("  %d %-14s %-10v %5v to %v", id, j.Key, j.State.Priority, done-j.End.Elapsed.Round(10*time.Millisecond), done)
	}
	return nil
}
