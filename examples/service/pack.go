package main

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/policy"
)

// packing is the type of the jobs. Its name and its key are stored with each of them.
var packing = persist.Define[file]("pack",
	persist.WithDuplicates(persist.Reject), // a version that has a job needs no other
	persist.WithMaxRetries(10),             // the registry has bad days
	persist.WithBackoff(policy.Exponential(100*time.Millisecond, 10*time.Second)),
	persist.WithStall(time.Minute), // without progress
).KeyedBy(file.key)

// jobFor is what is submitted for a file. Versions of one file are a group, of which
// one runs at a time: they write to the same place.
func jobFor(f file) persist.Submission { return packing.New(f, persist.WithGroup(f.Name)) }

// packer does the work.
type packer struct {
	files    folder
	pace     time.Duration
	registry *registry
}

var errChanged = errors.New("the file is not any more what it was: its new version has a job of its own")

// pack may run more than once for a file: after a failure, and when the process died
// before the queue knew that it was done. So it looks what there is, does the rest, and
// has nothing to undo.
func (p *packer) pack(ctx context.Context, f file) error {
	defer p.files.discard(f)
	sum, there := p.files.result(f)
	if !there {
		var err error
		if sum, err = p.produce(ctx, f); err != nil {
			return err
		}
	}
	persist.Progress(ctx, 1, "announcing")
	return p.registry.announce(f, sum)
}

// produce makes the results.
func (p *packer) produce(ctx context.Context, f file) (sum string, err error) {
	in, err := os.Open(p.files.path(f.Name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", persist.Cancel(err) // nobody wants it any more
	}
	if err != nil {
		return "", err
	}
	defer func() { _ = in.Close() }()

	// What was read is this version if it was before and after.
	if err := f.is(in); err != nil {
		return "", err
	}
	out, err := os.Create(p.files.draft(f.Name + packed))
	if err != nil {
		return "", err
	}
	defer func() { _ = out.Close() }()
	hash := sha256.New()
	zip := gzip.NewWriter(out)
	zip.ModTime = f.modified()
	if err := p.copy(ctx, io.MultiWriter(zip, hash), in, f.Size); err != nil {
		return "", err
	}
	if err := zip.Close(); err != nil {
		return "", err
	}
	if err := f.is(in); err != nil {
		return "", err
	}

	// The digest is last, since it says that everything is there.
	if err := p.files.publish(out, f.Name+packed, f.modified()); err != nil {
		return "", err
	}
	sum = hex.EncodeToString(hash.Sum(nil))
	line, err := os.Create(p.files.draft(f.Name + summed))
	if err != nil {
		return "", err
	}
	defer func() { _ = line.Close() }()
	if _, err := fmt.Fprintf(line, "%s  %s\n", sum, f.Name); err != nil {
		return "", err
	}
	return sum, p.files.publish(line, f.Name+summed, f.modified())
}

// is returns nil if what is open is this version.
func (f file) is(in *os.File) error {
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if fileOf(info) != f {
		return persist.Cancel(errChanged)
	}
	return nil
}

// copy goes by parts: after each it tells how far it has come, and looks whether it is
// to stop. What it returns then completes nothing: the job is run again.
func (p *packer) copy(ctx context.Context, to io.Writer, from io.Reader, size int64) error {
	part := max(size/8, 16<<10)
	for done := int64(0); ; {
		n, err := io.CopyN(to, from, part)
		done += n
		if n > 0 {
			persist.Progress(ctx, float64(done)/float64(size), fmt.Sprintf("%d of %d bytes", done, size))
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-time.After(p.pace):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

var errBusy = errors.New("503 Service Unavailable")

// registry plays a service on a bad day, which in life would be somebody else's: every
// third request fails.
type registry struct{ asked atomic.Uint64 }

// announce says that the results of a file are there.
func (r *registry) announce(f file, sum string) error {
	if r.asked.Add(1)%3 == 0 {
		return fmt.Errorf("announce %s as %.8s: %w", f.Name, sum, errBusy)
	}
	return nil
}
