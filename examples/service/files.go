package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/shirou/gopsutil/v3/disk"
)

// The results of a file stand beside it, under its name and these.
const (
	packed = ".gz"
	summed = ".sha256" // as sha256sum writes it. It comes last: where it is, everything is
)

// file is one version of a file. It is what a job is given, and what tells one job from
// another.
type file struct {
	Name     string `json:"name"`
	Size     int64  `json:"size"`
	Modified int64  `json:"modified"` // in nanoseconds since 1970
}

func fileOf(info fs.FileInfo) file {
	return file{Name: info.Name(), Size: info.Size(), Modified: info.ModTime().UnixNano()}
}

// key is the name first, for people.
func (f file) key() string { return fmt.Sprintf("%s@%x.%x", f.Name, f.Modified, f.Size) }

func (f file) modified() time.Time { return time.Unix(0, f.Modified) }

// spareRoom is how much of the disk uploads leave free: the results take room too, and so
// does the store of the jobs.
const spareRoom = 64 << 20

// hasRoom says why an upload of that size is not taken. A size that is not known is negative.
func (d folder) hasRoom(ctx context.Context, size int64) error {
	usage, err := disk.UsageWithContext(ctx, string(d))
	if err != nil {
		return err
	}
	if need := uint64(2*max(size, 0) + spareRoom); usage.Free < need {
		return fmt.Errorf("the disk has %d MiB left, and %d are needed", usage.Free>>20, need>>20)
	}
	return nil
}

// maxFileName leaves room for what is put around a name, and makes it fit for a group.
const maxFileName = 200

// checkName says why a file of that name is not taken.
func checkName(name string) error {
	switch {
	case name == "" || len(name) > maxFileName:
		return fmt.Errorf("a name has 1 to %d bytes", maxFileName)
	case strings.ContainsAny(name, "/\\\x00") || !utf8.ValidString(name):
		return errors.New("that is no name of a file")
	case strings.HasPrefix(name, "."):
		return errors.New("files that begin with a dot are left alone")
	case strings.HasSuffix(name, packed), strings.HasSuffix(name, summed):
		return errors.New("that is the name of a result")
	}
	return nil
}

// folder is where files come in, and results go out. Nobody sees a file in it that is
// half written: what is made begins with a dot until it is complete and on disk.
type folder string

func (d folder) path(name string) string { return filepath.Join(string(d), name) }

// draft is where a result is written. It has the same name in every attempt, so that a
// second one writes over what a crash has left of the first.
func (d folder) draft(name string) string { return d.path("." + name + ".draft") }

// discard removes what was left half done of the results of a file.
func (d folder) discard(f file) {
	_ = os.Remove(d.draft(f.Name + packed)) // mostly there is none
	_ = os.Remove(d.draft(f.Name + summed))
}

// publish gives what was written the name under which it is seen, and the time of
// what it was made from. It is there as a whole then, and on disk; or not at all.
func (d folder) publish(out *os.File, name string, modified time.Time) error {
	if err := os.Chtimes(out.Name(), time.Time{}, modified); err != nil {
		return err
	}
	if err := out.Sync(); err != nil {
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	if err := os.Rename(out.Name(), d.path(name)); err != nil {
		return err
	}
	return d.sync()
}

// sync has the names on disk, too.
func (d folder) sync() error {
	if runtime.GOOS == "windows" {
		return nil // it keeps them without
	}
	dir, err := os.Open(string(d))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// result returns the digest of a version whose results are all there.
func (d folder) result(f file) (sum string, there bool) {
	for _, name := range []string{f.Name + packed, f.Name + summed} {
		info, err := os.Stat(d.path(name))
		if err != nil || info.ModTime().UnixNano() != f.Modified {
			return "", false
		}
	}
	line, err := os.ReadFile(d.path(f.Name + summed))
	sum, _, _ = strings.Cut(string(line), " ")
	return sum, err == nil
}

// uploading is what files begin with that are being posted.
const uploading = ".upload-"

// receive keeps what is posted as a file. The same content under the same name is the
// file that is there: who got no answer may post again.
func (d folder) receive(name string, body io.Reader) (f file, err error) {
	temp, err := os.CreateTemp(string(d), uploading)
	if err != nil {
		return f, err
	}
	defer func() {
		_ = temp.Close()
		_ = os.Remove(temp.Name()) // unless it has its name by now
	}()
	hash := sha256.New()
	if _, err := io.Copy(io.MultiWriter(temp, hash), body); err != nil {
		return f, err
	}
	if sum, err := d.sum(name); err != nil || sum != hex.EncodeToString(hash.Sum(nil)) {
		if err := d.publish(temp, name, time.Now()); err != nil {
			return f, err
		}
	}
	info, err := os.Stat(d.path(name))
	if err != nil {
		return f, err
	}
	return fileOf(info), nil
}

// sum reads a file for its digest.
func (d folder) sum(name string) (string, error) {
	in, err := os.Open(d.path(name))
	if err != nil {
		return "", err
	}
	defer func() { _ = in.Close() }()
	hash := sha256.New()
	_, err = io.Copy(hash, in)
	return hex.EncodeToString(hash.Sum(nil)), err
}

// sweep removes what was being posted when the program was killed: it was never
// acknowledged. It comes after the queue, whose file only one process has.
func (d folder) sweep(context.Context) error {
	left, err := filepath.Glob(d.path(uploading + "*"))
	for _, path := range left {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// dropSamples drops files that differ in how long they take.
func (d folder) dropSamples() error {
	noise := rand.NewChaCha8([32]byte{})
	samples := map[string]io.Reader{
		"hello.txt":   strings.NewReader("hello, world\n"),
		"numbers.csv": strings.NewReader(strings.Repeat("1,2,3,5,8,13\n", 20_000)),
		"song.txt":    strings.NewReader(strings.Repeat("row, row, row your boat\n", 40_000)),
		"noise.bin":   io.LimitReader(noise, 2<<20),
	}
	for name, content := range samples {
		if _, err := d.receive(name, content); err != nil {
			return err
		}
	}
	return nil
}
