package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/boltstore"
)

var killSeed = flag.Uint64("kill.seed", 0, "the seed of the test that kills the service; 0 is another each time")

// The process dies at random moments while files are dropped and posted, and is started
// again. In the end each file has one result, and it is right.
func TestKilledAgainAndAgainItFinishesEverythingOnce(t *testing.T) {
	t.Parallel()
	const kills, dropped, posts = 6, 24, 24
	seed := *killSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("to run it again: -kill.seed=%d", seed)
	random := rand.New(rand.NewPCG(seed, 0))

	dir := t.TempDir()
	files := filepath.Join(dir, "files")
	if err := os.Mkdir(files, 0o755); err != nil {
		t.Fatal(err)
	}
	want := map[string][]byte{}
	c := &clients{t: t, files: files, acknowledged: map[uint64]string{}}
	for n := range dropped {
		name := fmt.Sprintf("dropped-%d", n)
		want[name] = content(random)
		c.todo = append(c.todo, c.drop(name, want[name]))
	}
	for n := range posts {
		name := fmt.Sprintf("posted-%d", n)
		want[name] = content(random)
		post := c.post(name, want[name])
		c.todo = append(c.todo, post)
		if n%4 == 0 {
			c.todo = append(c.todo, post) // by somebody else, too
		}
	}
	random.Shuffle(len(c.todo), func(i, j int) { c.todo[i], c.todo[j] = c.todo[j], c.todo[i] })

	// They go on whatever becomes of the service.
	run := func() *service {
		s := launch(t, "-dir", dir, "-addr", "127.0.0.1:0", "-every", "30ms", "-pace", "10ms")
		c.service.Store(s)
		return s
	}
	done := c.begin()
	for range kills {
		s := run()
		after(t, time.Duration(random.IntN(700))*time.Millisecond)
		if err := s.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		s.wait()
	}
	s := run()
	s.url = s.await(`listening on (http://\S+)`)[1]
	select {
	case <-done:
	case <-s.ctx.Done():
		t.Fatal("the clients are not done")
	}

	// A file is taken when nobody writes to it any more.
	for name := range want {
		until(t, s, func() bool {
			_, err := os.Stat(filepath.Join(files, name+summed))
			return err == nil && rightSum(files, name, want[name])
		})
	}
	until(t, s, func() bool {
		var jobs struct{ Counts map[persist.Phase]int }
		s.fetch("/jobs", &jobs)
		delete(jobs.Counts, persist.Ended)
		for _, n := range jobs.Counts {
			if n > 0 {
				return false
			}
		}
		return true
	})
	s.signal(os.Interrupt)
	if code := s.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}

	checkFolder(t, files, want)
	checkStore(t, filepath.Join(dir, "jobs.db"), files, c.acknowledged, dropped)
}

// content is some text, so that it can be compressed, or nothing at all.
func content(random *rand.Rand) []byte {
	var b bytes.Buffer
	for range random.IntN(5_000) {
		fmt.Fprintf(&b, "line %d\n", random.IntN(1_000_000))
	}
	return b.Bytes()
}

func after(t *testing.T, d time.Duration) {
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

func until(t *testing.T, s *service, so func() bool) {
	t.Helper()
	for !so() {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-s.exited:
			t.Fatal("the service has ended")
		case <-s.ctx.Done():
			t.Fatal("it takes too long")
		}
	}
}

// clients drop and post files.
type clients struct {
	t       *testing.T
	files   string
	service atomic.Pointer[service]
	todo    []func()

	mu           sync.Mutex
	acknowledged map[uint64]string // guarded by mu: the file of each job
}

// begin has a few of them work side by side, and returns what tells that all is done.
func (c *clients) begin() (done chan struct{}) {
	var wg sync.WaitGroup
	todo := make(chan func())
	for range 4 {
		wg.Go(func() {
			for do := range todo {
				do()
			}
		})
	}
	done = make(chan struct{})
	go func() {
		defer close(done)
		for _, do := range c.todo {
			todo <- do
			after(c.t, 30*time.Millisecond)
		}
		close(todo)
		wg.Wait()
	}()
	return done
}

// drop writes a file in two goes, as a slow program does.
func (c *clients) drop(name string, content []byte) func() {
	return func() {
		f, err := os.Create(filepath.Join(c.files, name))
		if err != nil {
			c.t.Error(err)
			return
		}
		defer func() { _ = f.Close() }()
		half := len(content) / 2
		_, _ = f.Write(content[:half])
		after(c.t, 50*time.Millisecond)
		if _, err := f.Write(content[half:]); err != nil {
			c.t.Error(err)
		}
	}
}

var listening = regexp.MustCompile(`listening on (http://\S+)`)

// post goes on until there is an answer, and remembers it.
func (c *clients) post(name string, content []byte) func() {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	try := func() bool {
		s := c.service.Load()
		if s == nil {
			return false
		}
		at := listening.FindStringSubmatch(s.stdout.String())
		if at == nil {
			return false
		}
		res, err := client.Post(at[1]+"/files/"+name, "", bytes.NewReader(content))
		if err != nil {
			return false
		}
		defer func() { _ = res.Body.Close() }()
		var answer posted
		if res.StatusCode != http.StatusAccepted || json.NewDecoder(res.Body).Decode(&answer) != nil {
			return false
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.acknowledged[answer.Job] = name
		return true
	}
	return func() {
		for !try() && c.t.Context().Err() == nil {
			after(c.t, 20*time.Millisecond)
		}
	}
}

// checkFolder looks that there is nothing but files and their results.
func checkFolder(t *testing.T, files string, want map[string][]byte) {
	t.Helper()
	entries, err := os.ReadDir(files)
	if err != nil {
		t.Fatal(err)
	}
	var all, got []string
	for name := range want {
		all = append(all, name, name+packed, name+summed)
	}
	for _, e := range entries {
		got = append(got, e.Name())
	}
	slices.Sort(all)
	slices.Sort(got)
	if !slices.Equal(got, all) {
		t.Errorf("the folder has %q, want %q", got, all)
	}
	for name, content := range want {
		checkResults(t, files, name, content)
	}
}

// checkResults looks that a file has both results, and that they are right. Nil content
// is whatever the file has.
func checkResults(t *testing.T, files, name string, content []byte) {
	t.Helper()
	there, err := os.ReadFile(filepath.Join(files, name))
	if err != nil || content != nil && !bytes.Equal(there, content) {
		t.Errorf("%s has not the content it was given, %v", name, err)
	}
	if !rightSum(files, name, there) {
		t.Errorf("the digest of %s is wrong", name)
	}
	zipped, err := os.Open(filepath.Join(files, name+packed))
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = zipped.Close() }()
	zip, err := gzip.NewReader(zipped)
	if err != nil {
		t.Errorf("%s: %v", name+packed, err)
		return
	}
	if plain, err := io.ReadAll(zip); err != nil || !bytes.Equal(plain, there) {
		t.Errorf("%s has %d bytes, want the %d of the file, %v", name+packed, len(plain), len(there), err)
	}
}

func rightSum(files, name string, content []byte) bool {
	line, _ := os.ReadFile(filepath.Join(files, name+summed))
	return string(line) == fmt.Sprintf("%x  %s\n", sha256.Sum256(content), name)
}

// checkStore looks that no job is left, and that what was acknowledged is done, and what
// was dropped.
func checkStore(t *testing.T, db, files string, acknowledged map[uint64]string, dropped int) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	store, err := boltstore.File(db, boltstore.Options{CheckOnOpen: true}).Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	recovery, err := store.Recover(ctx, func(j *persist.Job) error {
		t.Errorf("job %d is left: %s", j.ID, j.Key)
		return nil
	})
	if err != nil || !recovery.Clean {
		t.Errorf("the store was not closed: %+v, %v", recovery, err)
	}
	for id, name := range acknowledged {
		j, err := store.Job(ctx, persist.ID(id))
		if err != nil || !j.Ended() || j.End.Kind != persist.Completed || !strings.HasPrefix(j.Key, name+"@") {
			t.Errorf("job %d of %s was acknowledged, and is %+v, %v", id, name, j, err)
		}
	}
	past, err := store.Past(ctx, persist.PastQuery{Kinds: []persist.Ending{persist.Completed}, Limit: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	attempts := 0
	times := map[string]int{}
	for _, j := range past {
		times[j.Key]++
		attempts += j.Attempts
	}
	for n := range dropped {
		info, err := os.Stat(filepath.Join(files, fmt.Sprintf("dropped-%d", n)))
		if err != nil {
			t.Fatal(err)
		}
		if key := fileOf(info).key(); times[key] == 0 {
			t.Errorf("%s was done by no job", key)
		}
	}
	t.Logf("%d jobs were done in %d attempts, those not counted that were killed", len(past), attempts)
}
