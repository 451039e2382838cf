package persist_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
	"github.com/taskvisor/taskvisor/policy"
)

// scene is a queue with a job that has the key "k", in a certain state.
type scene struct {
	*harness
	play     *play
	m        *memstore.Memory
	holder   persist.ID
	follower persist.ID // who waits for the holder, if anybody does
	blocker  persist.ID // who has the only worker, if somebody else has to
	commits  *gateway   // holds the end of the holder up
}

// finish lets everybody go who holds.
func (s *scene) finish(err error) {
	for _, id := range []persist.ID{s.blocker, s.holder} {
		if id != 0 {
			s.play.release(id, err)
		}
	}
}

// scenes are the states in which a submission may find the holder of its key.
var scenes = map[string]func(s *scene){
	"ready": func(s *scene) {
		s.blocker = s.play.submit(s.harness, part{Name: "other", Hold: true}).ID
		s.holder = s.play.submit(s.harness, part{Name: "k"}).ID
	},
	"delayed": func(s *scene) {
		s.holder = s.play.submit(s.harness, part{Name: "k"}, persist.WithDelay(time.Hour)).ID
	},
	"pausing": func(s *scene) {
		s.holder = s.play.submit(s.harness, part{Name: "k", Fails: 1}).ID
		synctest.Wait()
	},
	"pausing with follower": func(s *scene) {
		s.holder = s.play.submit(s.harness, part{Name: "k", Hold: true}).ID
		synctest.Wait()
		s.follower = s.play.submit(s.harness, part{Name: "k"}).ID
		s.play.release(s.holder, errors.New("oops"))
		synctest.Wait()
	},
	"parked": func(s *scene) {
		s.holder = s.play.submit(s.harness, part{Name: "k"}, persist.WithDelay(time.Hour)).ID
		if err := s.stop(); err != nil {
			s.t.Error(err)
		}
		park(s.t, s.m, s.holder)
		s.harness = start(s.t, s.config())
	},
	"running": func(s *scene) {
		s.holder = s.play.submit(s.harness, part{Name: "k", Hold: true}).ID
		synctest.Wait()
	},
	"running with follower": func(s *scene) {
		s.holder = s.play.submit(s.harness, part{Name: "k", Hold: true}).ID
		synctest.Wait()
		s.follower = s.play.submit(s.harness, part{Name: "k"}).ID
	},
	"settling": func(s *scene) {
		s.holder = s.play.submit(s.harness, part{Name: "k", Hold: true}).ID
		synctest.Wait()
		s.commits = hold(s.m)
		s.play.release(s.holder, nil)
		s.commits.arrive()
	},
	"settled next": func(s *scene) {
		s.holder = s.play.submit(s.harness, part{Name: "k", Hold: true}).ID
		synctest.Wait()
		s.settleNext()
	},
	"settled next with follower": func(s *scene) {
		s.holder = s.play.submit(s.harness, part{Name: "k", Hold: true}).ID
		synctest.Wait()
		s.follower = s.play.submit(s.harness, part{Name: "k"}).ID
		s.settleNext()
	},
	"settling with follower": func(s *scene) {
		s.holder = s.play.submit(s.harness, part{Name: "k", Hold: true}).ID
		synctest.Wait()
		s.follower = s.play.submit(s.harness, part{Name: "k"}).ID
		s.commits = hold(s.m)
		s.play.release(s.holder, nil)
		s.commits.arrive()
	},
}

// settleNext has the holder end while something else is being stored, so that its end and what is
// submitted then are stored together.
func (s *scene) settleNext() {
	s.commits = hold(s.m)
	s.play.begin(s.harness, part{Name: "other"}, persist.WithDelay(time.Second))
	s.commits.arrive()
	s.play.release(s.holder, nil)
	synctest.Wait()
}

// park sets a job aside, as crashes do.
func park(t *testing.T, m *memstore.Memory, id persist.ID) {
	t.Helper()
	store, err := m.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var state persist.State
	_, err = store.Recover(t.Context(), func(j *persist.Job) error {
		if j.ID == id {
			state = j.State
		}
		return nil
	})
	state.Parked = "for a test"
	if err == nil {
		_, err = store.Commit(t.Context(), []persist.Step{{Verb: persist.Amend, ID: id, State: state}})
	}
	if err = errors.Join(err, store.Close()); err != nil {
		t.Fatal(err)
	}
}

func (s *scene) config() persist.Config {
	return persist.Config{
		Store: s.m, Workers: 1, Handlers: []persist.Handler{s.play.handler()},
		Defaults: []persist.Option{persist.WithBackoff(policy.Constant(time.Hour))},
	}
}

func setScene(t *testing.T, name string) *scene {
	s := &scene{m: memstore.New(), play: newPlay(t)}
	s.harness = start(t, s.config())
	scenes[name](s)
	return s
}

// submit submits with the key of the scene, and lets the commit go on that is held up.
func (s *scene) submit(opts ...persist.Option) persist.Result {
	s.t.Helper()
	c := s.play.begin(s.harness, part{Name: "k"}, opts...)
	if s.commits != nil {
		s.commits.end(nil)
	}
	a := <-c
	if a.err != nil {
		s.t.Fatal(a.err)
	}
	return a.Result
}

func TestWhatBecomesOfASubmissionWhoseKeyIsHeld(t *testing.T) {
	// Who is named: the holder, its follower, or the new job.
	const none, holder, follower, fresh = "", "holder", "follower", "fresh"
	for _, row := range []struct {
		scene    string
		how      persist.Duplicates
		priority persist.Priority
		kind     persist.ResultKind
		id       string
		other    string
		ends     persist.Ending // the holder, at last
		follows  persist.Ending // its follower
	}{
		{"ready", persist.Skip, persist.Normal, persist.Duplicate, holder, none, persist.Completed, 0},
		{"ready", persist.Skip, persist.Background, persist.Duplicate, holder, none, persist.Completed, 0},
		{"ready", persist.Skip, persist.High, persist.Upgraded, holder, none, persist.Completed, 0},
		{"ready", persist.Supersede, persist.Normal, persist.Replaced, fresh, holder, persist.Superseded, 0},
		{"ready", persist.Reject, persist.High, persist.Rejected, none, holder, persist.Completed, 0},

		{"delayed", persist.Skip, persist.Normal, persist.Duplicate, holder, none, persist.Completed, 0},
		{"delayed", persist.Skip, persist.High, persist.Upgraded, holder, none, persist.Completed, 0},
		{"delayed", persist.Supersede, persist.Normal, persist.Replaced, fresh, holder, persist.Superseded, 0},
		{"delayed", persist.Reject, persist.High, persist.Rejected, none, holder, persist.Completed, 0},

		{"pausing", persist.Skip, persist.Normal, persist.Duplicate, holder, none, persist.Completed, 0},
		{"pausing", persist.Skip, persist.High, persist.Upgraded, holder, none, persist.Completed, 0},
		{"pausing", persist.Supersede, persist.Normal, persist.Replaced, fresh, holder, persist.Superseded, 0},
		{"pausing", persist.Reject, persist.High, persist.Rejected, none, holder, persist.Completed, 0},

		{"pausing with follower", persist.Skip, persist.Normal, persist.Duplicate, holder, none, persist.Completed, persist.Completed},
		{"pausing with follower", persist.Skip, persist.High, persist.Upgraded, holder, none, persist.Completed, persist.Completed},
		{"pausing with follower", persist.Supersede, persist.Normal, persist.Replaced, fresh, holder, persist.Superseded, persist.Superseded},
		{"pausing with follower", persist.Reject, persist.High, persist.Rejected, none, holder, persist.Completed, persist.Completed},

		{"parked", persist.Skip, persist.Normal, persist.Duplicate, holder, none, persist.Completed, 0},
		{"parked", persist.Skip, persist.High, persist.Upgraded, holder, none, persist.Completed, 0},
		{"parked", persist.Supersede, persist.Normal, persist.Replaced, fresh, holder, persist.Superseded, 0},
		{"parked", persist.Reject, persist.High, persist.Rejected, none, holder, persist.Completed, 0},

		{"running", persist.Skip, persist.Normal, persist.Requeued, fresh, holder, persist.Completed, 0},
		{"running", persist.Skip, persist.High, persist.Requeued, fresh, holder, persist.Completed, 0},
		{"running", persist.Supersede, persist.Normal, persist.Replaced, fresh, holder, persist.Superseded, 0},
		{"running", persist.Reject, persist.High, persist.Rejected, none, holder, persist.Completed, 0},

		{"running with follower", persist.Skip, persist.Normal, persist.Duplicate, follower, none, persist.Completed, persist.Completed},
		{"running with follower", persist.Skip, persist.High, persist.Upgraded, follower, none, persist.Completed, persist.Completed},
		{"running with follower", persist.Supersede, persist.Normal, persist.Replaced, fresh, holder, persist.Superseded, persist.Superseded},
		{"running with follower", persist.Reject, persist.High, persist.Rejected, none, holder, persist.Completed, persist.Completed},

		// Who submits while an end is being stored may find that it is.
		{"settling", persist.Skip, persist.Normal, persist.Inserted, fresh, none, persist.Completed, 0},
		{"settling", persist.Supersede, persist.Normal, persist.Inserted, fresh, none, persist.Completed, 0},
		{"settling", persist.Reject, persist.Normal, persist.Inserted, fresh, none, persist.Completed, 0},
		{"settling with follower", persist.Skip, persist.High, persist.Requeued, fresh, follower, persist.Completed, persist.Completed},
		{"settled next", persist.Skip, persist.High, persist.Requeued, fresh, holder, persist.Completed, 0},
		{"settled next", persist.Supersede, persist.Normal, persist.Requeued, fresh, holder, persist.Completed, 0},
		{"settled next", persist.Reject, persist.Normal, persist.Rejected, none, holder, persist.Completed, 0},
		{"settled next with follower", persist.Skip, persist.Normal, persist.Duplicate, follower, none, persist.Completed, persist.Completed},
		{"settled next with follower", persist.Skip, persist.High, persist.Upgraded, follower, none, persist.Completed, persist.Completed},
		{"settled next with follower", persist.Supersede, persist.Normal, persist.Replaced, fresh, follower, persist.Completed, persist.Superseded},
		{"settled next with follower", persist.Reject, persist.High, persist.Rejected, none, holder, persist.Completed, persist.Completed},
		{"settling with follower", persist.Reject, persist.High, persist.Rejected, none, follower, persist.Completed, persist.Completed},
	} {
		t.Run(fmt.Sprintf("%s/%v/%v", row.scene, row.how, row.priority), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := setScene(t, row.scene)
				r := s.submit(persist.WithDuplicates(row.how), persist.WithPriority(row.priority))
				high := max(s.holder, s.follower)
				if strings.HasPrefix(row.scene, "settled next") {
					high++ // there is an unrelated job
				}
				ids := map[string]persist.ID{none: 0, holder: s.holder, follower: s.follower, fresh: high + 1}
				if want := (persist.Result{Kind: row.kind, ID: ids[row.id], Other: ids[row.other]}); r != want {
					t.Errorf("result %+v, want %+v", r, want)
				}
				if r.New() != (row.id == fresh) {
					t.Errorf("new: %v", r.New())
				}
				if s.phase(s.holder) == persist.Parked {
					if err := s.Release(t.Context(), s.holder); err != nil {
						t.Error(err)
					}
				}
				s.finish(nil)
				if j := s.ended(s.holder, row.ends); row.ends == persist.Superseded && j.End.By != r.ID {
					t.Errorf("the holder is superseded by %d, want %d", j.End.By, r.ID)
				} else if row.kind == persist.Upgraded && row.id == holder && j.State.Priority != row.priority {
					t.Errorf("the holder has priority %v, want %v", j.State.Priority, row.priority)
				}
				if s.follower != 0 {
					if j := s.ended(s.follower, row.follows); row.follows == persist.Superseded && j.End.By != r.ID {
						t.Errorf("the follower is superseded by %d, want %d", j.End.By, r.ID)
					}
				}
				if row.id == fresh {
					s.ended(r.ID, persist.Completed)
				}
				time.Sleep(time.Minute)
				if n := len(s.Active()); n != 0 {
					t.Errorf("%d jobs are left", n)
				}
				if c := s.Counts(); c[persist.Ready]+c[persist.Blocked]+c[persist.Delayed]+c[persist.Running]+c[persist.Parked] != 0 {
					t.Errorf("jobs are left: %v", c)
				}
				// The key is free.
				if r := s.play.submit(s.harness, part{Name: "k"}, persist.WithDuplicates(persist.Reject)); r.Kind != persist.Inserted {
					t.Errorf("then %+v", r)
				}
			})
		})
	}
}

func TestAKeyIsTakenAtOnceByWhoSupersedes(t *testing.T) {
	for name := range scenes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := setScene(t, name)
				old := s.submit(persist.WithDuplicates(persist.Supersede), persist.WithDelay(time.Minute))
				r := s.play.submit(s.harness, part{Name: "k"}, persist.WithDuplicates(persist.Reject))
				if r.Kind != persist.Rejected || r.Other == s.holder && s.phase(s.holder) == persist.Ended {
					t.Errorf("after %+v: %+v", old, r)
				}
				s.finish(nil)
				s.ended(old.ID, persist.Completed)
			})
		})
	}
}

func TestARaisedPriorityCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlay(t)
		h := start(t, persist.Config{Workers: 1, Handlers: []persist.Handler{p.handler()}})
		blocker := p.submit(h, part{Name: "blocker", Hold: true}).ID
		a, b := p.submit(h, part{Name: "a"}).ID, p.submit(h, part{Name: "b"}).ID
		late := p.submit(h, part{Name: "late"}, persist.WithDelay(time.Hour)).ID
		p.submit(h, part{Name: "b"}, persist.WithPriority(persist.High))
		p.submit(h, part{Name: "late"}, persist.WithPriority(persist.Realtime))
		if r := p.submit(h, part{Name: "b"}, persist.WithPriority(persist.High)); r.Kind != persist.Duplicate {
			t.Errorf("the same priority again: %+v", r)
		}
		if h.phase(late) != persist.Delayed {
			t.Errorf("who is delayed is %v", h.phase(late))
		}
		p.release(blocker, nil)
		h.ended(a, persist.Completed)
		if want := []string{"blocker#1", "b#3", "a#2"}; !slices.Equal(p.was(), want) {
			t.Errorf("order %v, want %v", p.was(), want)
		}
		h.ended(b, persist.Completed)
		began := time.Now()
		h.ended(late, persist.Completed)
		if waited := time.Since(began); waited != time.Hour {
			t.Errorf("who is delayed runs after %v", waited)
		}
		if n := h.count(events.JobUpgraded); n != 2 {
			t.Errorf("%d events of upgrades, want 2", n)
		}
	})
}

func TestWhatIsRequeuedRunsHoweverTheOneBeforeEnds(t *testing.T) {
	for _, row := range []struct {
		what string
		end  func(s *scene)
		want persist.Ending
	}{
		{"completed", func(s *scene) { s.play.release(s.holder, nil) }, persist.Completed},
		{"failed for good", func(s *scene) { s.play.release(s.holder, actor.Fatal(errors.New("no"))) }, persist.Failed},
		{"cancelled itself", func(s *scene) { s.play.release(s.holder, persist.Cancel(nil)) }, persist.Cancelled},
		{"cancelled", func(s *scene) {
			if err := s.Cancel(s.t.Context(), s.holder); err != nil {
				s.t.Error(err)
			}
		}, persist.Cancelled},
	} {
		t.Run(row.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := setScene(t, "running with follower")
				synctest.Wait()
				if w, err := s.Why(t.Context(), s.follower); err != nil || w.Reason != persist.WaitsForKey || w.Job != s.holder {
					t.Errorf("the follower waits for %+v, %v", w, err)
				}
				row.end(s)
				s.ended(s.holder, row.want)
				s.ended(s.follower, persist.Completed)
			})
		})
	}
}

func TestWhatIsRequeuedWaitsForTheRetriesOfTheOneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setScene(t, "pausing with follower")
		if p := s.phase(s.follower); p != persist.Blocked {
			t.Errorf("during the pause the follower is %v", p)
		}
		time.Sleep(time.Hour + time.Minute)
		if p := s.phase(s.follower); p != persist.Blocked {
			t.Errorf("during the retry the follower is %v", p)
		}
		s.play.release(s.holder, nil)
		s.ended(s.follower, persist.Completed)
	})
}

func TestAFollowerKeepsItsDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setScene(t, "running")
		began := time.Now()
		r := s.submit(persist.WithDelay(time.Hour))
		if again := s.submit(persist.WithPriority(persist.High)); again.Kind != persist.Upgraded || again.ID != r.ID {
			t.Errorf("again %+v", again)
		}
		s.finish(nil)
		s.ended(r.ID, persist.Completed)
		if waited := time.Since(began); waited != time.Hour {
			t.Errorf("it ran after %v", waited)
		}
	})
}

func TestWhoRunsIsToldThatItIsSuperseded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setScene(t, "running")
		s.play.linger = time.Second
		began := time.Now()
		r := s.submit(persist.WithDuplicates(persist.Supersede))
		if time.Since(began) != 0 {
			t.Errorf("it took %v to be acknowledged", time.Since(began))
		}
		if p := s.phase(r.ID); p != persist.Blocked {
			t.Errorf("the new one is %v", p)
		}
		j := s.ended(r.ID, persist.Completed)
		if waited := j.End.At.Sub(began); waited != time.Second {
			t.Errorf("the new one ran after %v", waited)
		}
		if cause := s.play.cause(s.holder); !errors.Is(cause, actor.ErrSuperseded) {
			t.Errorf("cause %v", cause)
		}
		s.ended(s.holder, persist.Superseded)
		if n := s.count(events.JobSuperseded); n != 1 {
			t.Errorf("%d events, want 1", n)
		}
	})
}

func TestOfAChainOfThoseThatSupersedeTheLastRuns(t *testing.T) {
	for name := range scenes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := setScene(t, name)
				s.play.linger = 30 * time.Second
				var chain []persist.Result
				for range 4 {
					chain = append(chain, s.submit(persist.WithDuplicates(persist.Supersede), persist.WithDelay(time.Minute)))
					s.commits = nil
				}
				if name == "ready" {
					s.play.release(s.blocker, nil)
				}
				for i, r := range chain {
					want := persist.Superseded
					if i == len(chain)-1 {
						want = persist.Completed
					}
					j := s.ended(r.ID, want)
					if want == persist.Superseded && j.End.By != chain[i+1].ID {
						t.Errorf("job %d is superseded by %d, want %d", r.ID, j.End.By, chain[i+1].ID)
					}
					if want == persist.Superseded && j.Attempts != 0 {
						t.Errorf("job %d has run", r.ID)
					}
				}
			})
		})
	}
}

// Those that come together are decided in one commit.
func TestThoseThatSupersedeEachOtherAtOnceAllEnd(t *testing.T) {
	for _, name := range []string{"ready", "delayed", "pausing with follower", "running", "running with follower"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := setScene(t, name)
				g := hold(s.m)
				first := s.play.begin(s.harness, part{Name: "unrelated"})
				g.arrive()
				var answers []chan answer
				for _, how := range []persist.Duplicates{persist.Supersede, persist.Skip, persist.Supersede, persist.Reject, persist.Skip} {
					answers = append(answers, s.play.begin(s.harness, part{Name: "k"}, persist.WithDuplicates(how)))
				}
				g.end(nil)
				<-first
				var got []persist.Result
				for _, c := range answers {
					a := <-c
					if a.err != nil {
						t.Fatal(a.err)
					}
					got = append(got, a.Result)
				}
				if got[1].ID != got[0].ID || got[2].Kind != persist.Replaced || got[3].Kind != persist.Rejected || got[4].ID != got[2].ID {
					t.Errorf("%+v", got)
				}
				if name == "ready" {
					s.play.release(s.blocker, nil)
				}
				s.ended(s.holder, persist.Superseded)
				if s.follower != 0 {
					s.ended(s.follower, persist.Superseded)
				}
				s.ended(got[0].ID, persist.Superseded)
				s.ended(got[2].ID, persist.Completed)
			})
		})
	}
}

func TestWhoSupersedesAnAttemptThatFailsJustThenReplacesIt(t *testing.T) {
	for _, name := range []string{"running", "running with follower"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := setScene(t, name)
				// The failure and the submission come while something else is being stored.
				g := hold(s.m)
				first := s.play.begin(s.harness, part{Name: "unrelated"})
				g.arrive()
				s.play.release(s.holder, errors.New("oops"))
				synctest.Wait()
				c := s.play.begin(s.harness, part{Name: "k"}, persist.WithDuplicates(persist.Supersede))
				g.end(nil)
				<-first
				a := <-c
				if a.err != nil || !a.New() {
					t.Fatalf("%+v", a)
				}
				began := time.Now()
				s.ended(a.ID, persist.Completed)
				if waited := time.Since(began); waited != 0 {
					t.Errorf("it had to wait %v for a retry of the one that it supersedes", waited)
				}
				s.ended(s.holder, persist.Superseded)
			})
		})
	}
}

func TestAFollowerThatIsBeingCancelledTakesNothingIn(t *testing.T) {
	for _, how := range []persist.Duplicates{persist.Skip, persist.Supersede} {
		t.Run(how.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := setScene(t, "running with follower")
				g := hold(s.m)
				first := s.play.begin(s.harness, part{Name: "unrelated"})
				g.arrive()
				cancelled := make(chan error, 1)
				go func() { cancelled <- s.Cancel(t.Context(), s.follower) }()
				synctest.Wait()
				c := s.play.begin(s.harness, part{Name: "k"}, persist.WithDuplicates(how))
				g.end(nil)
				<-first
				a := <-c
				if err := <-cancelled; err != nil || a.err != nil {
					t.Fatal(err, a.err)
				}
				s.ended(s.follower, persist.Cancelled)
				if !a.New() {
					t.Fatalf("what was submitted is left to a job that is cancelled: %+v", a.Result)
				}
				if how == persist.Skip {
					s.play.release(s.holder, nil)
				}
				s.ended(a.ID, persist.Completed)
				if c := s.Counts(); c[persist.Ready]+c[persist.Blocked]+c[persist.Running] != 1 && c[persist.Ended] < 3 {
					t.Errorf("%v", c)
				}
			})
		})
	}
}

func TestWithoutAKeyEachSubmissionIsAJobOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlay(t)
		h := start(t, persist.Config{Workers: 8, Handlers: []persist.Handler{noteType.Handle(func(context.Context, note) error { return nil }), p.handler()}})
		for i := range 3 {
			r := must(t)(noteType.Submit(t.Context(), h.Queue, note{1}, persist.WithoutKey(), persist.WithDuplicates(persist.Reject), persist.WithDelay(time.Hour)))
			if r.Kind != persist.Inserted || r.ID != persist.ID(i+1) {
				t.Errorf("%+v", r)
			}
			j, err := h.Job(t.Context(), r.ID)
			if err != nil || !j.Digest.IsZero() || j.Key != "" {
				t.Errorf("%+v, %v", j, err)
			}
		}
		// Nor has who makes an empty key.
		for range 2 {
			if r := p.submit(h, part{}, persist.WithDelay(time.Hour)); r.Kind != persist.Inserted {
				t.Errorf("%+v", r)
			}
		}
	})
}

func TestKeysOfDifferentTypesAndKindsDoNotMeet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		domain := &persist.Domain{Name: "d"}
		h := start(t, persist.Config{})
		later := persist.WithDelay(time.Hour)
		for _, s := range []persist.Submission{
			persist.Raw("a", []byte("x"), later),
			persist.Raw("a", []byte("y"), persist.WithKey("x"), later),
			persist.Raw("b", []byte("x"), later),
			persist.Raw("b", []byte("x"), persist.WithKey("x"), later),
			persist.Raw("a", nil, later),
			persist.Raw("a", []byte("z"), persist.WithKey("kx"), later),
			persist.Define[string]("c").New("x", later),
			persist.DefineIn[string](domain, "c").New("x", later),
			persist.DefineIn[string](domain, "a").New("x", later, persist.WithKey("x")),
		} {
			if r := must(t)(h.Submit(t.Context(), s)); r.Kind != persist.Inserted {
				t.Errorf("%+v", r)
			}
		}
		if r := must(t)(h.Submit(t.Context(), persist.Raw("a", []byte("w"), persist.WithKey("x")))); r.Kind != persist.Duplicate || r.ID != 2 {
			t.Errorf("the same key again: %+v", r)
		}
		if r := must(t)(h.Submit(t.Context(), persist.Raw("a", []byte("x")))); r.Kind != persist.Duplicate || r.ID != 1 {
			t.Errorf("the same payload again: %+v", r)
		}
	})
}

func TestOfManyThatSubmitOneKeyOneIsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlay(t)
		h := start(t, persist.Config{Handlers: []persist.Handler{p.handler()}})
		for _, mode := range []persist.Durability{persist.Strict, persist.Relaxed} {
			answers := make(chan persist.Result, 64)
			for range cap(answers) {
				go func() {
					answers <- must(t)(p.kind.Submit(t.Context(), h.Queue, part{Name: mode.String()}, persist.WithDelay(time.Hour), persist.WithDurability(mode)))
				}()
			}
			inserted, id := 0, persist.ID(0)
			for range cap(answers) {
				r := <-answers
				switch {
				case r.Kind == persist.Inserted:
					inserted++
				case r.Kind != persist.Duplicate:
					t.Errorf("%+v", r)
				}
				if id == 0 {
					id = r.ID
				}
				if r.ID != id {
					t.Errorf("%+v, want job %d", r, id)
				}
			}
			if inserted != 1 {
				t.Errorf("%v: %d are new", mode, inserted)
			}
		}
	})
}
