package storetest

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
)

// A mutant breaks one rule.
type mutant struct {
	does  string
	spoil func(b *lying)
}

var bg = context.Background()

// forEach has every step changed before a commit.
func forEach(change func(s persist.Store, step *persist.Step)) func(persist.Store, []persist.Step) ([]int, error) {
	return func(s persist.Store, steps []persist.Step) ([]int, error) {
		steps = slices.Clone(steps)
		for i := range steps {
			change(s, &steps[i])
		}
		return s.Commit(bg, steps)
	}
}

// seeing has every job changed that is returned.
func seeing(change func(j *persist.Job)) func(*lying) {
	return func(b *lying) { b.lies.seen = change }
}

// newer raises the fence of a step to that of its job.
func newer(s persist.Store, step *persist.Step) {
	if j, err := s.Job(bg, step.ID); err == nil {
		step.State.Fence = max(step.State.Fence, j.Fence)
	}
}

// oneByOne commits each step for itself.
func oneByOne(s persist.Store, steps []persist.Step) (stale []int, err error) {
	for i := range steps {
		late, err := s.Commit(bg, steps[i:i+1])
		if err != nil {
			return nil, err
		}
		if late != nil {
			stale = append(stale, i)
		}
		runtime.Gosched()
	}
	return stale, nil
}

// hide has jobs disappear that are in the memory.
func hide(b *lying, hidden map[persist.ID]bool) {
	gone := func(j *persist.Job) bool { return hidden[j.ID] }
	b.lies.job = func(s persist.Store, id persist.ID) (*persist.Job, error) {
		if hidden[id] {
			return nil, persist.ErrPruned
		}
		return s.Job(bg, id)
	}
	b.lies.past = func(s persist.Store, q persist.PastQuery) ([]*persist.Job, error) {
		limit := q.Limit
		if limit == 0 {
			limit = persist.DefaultPage
		}
		q.Limit = 1 << 20
		jobs, err := s.Past(bg, q)
		jobs = slices.DeleteFunc(jobs, gone)
		return jobs[:min(limit, len(jobs))], err
	}
	b.lies.recover = func(s persist.Store, jobs []*persist.Job, r *persist.Recovery) []*persist.Job {
		past, _ := s.Past(bg, persist.PastQuery{Limit: 1 << 20})
		for _, j := range past {
			if gone(j) {
				r.Past[j.End.Kind]--
			}
		}
		return slices.DeleteFunc(jobs, gone)
	}
}

// pruning has prune hide what choose chooses of all that has ended, the latest first.
func pruning(choose func(past []*persist.Job, step persist.Step) []*persist.Job) func(b *lying) {
	return func(b *lying) {
		hidden := make(map[persist.ID]bool)
		hide(b, hidden)
		past := b.lies.past
		b.lies.commit = func(s persist.Store, steps []persist.Step) ([]int, error) {
			var stale []int
			for i, step := range steps {
				if step.Verb == persist.Prune {
					all, err := past(s, persist.PastQuery{Limit: 1 << 20})
					if err != nil {
						return nil, err
					}
					for _, j := range choose(all, step) {
						hidden[j.ID] = true
					}
					continue
				}
				late, err := s.Commit(bg, steps[i:i+1])
				if err != nil {
					return nil, err
				}
				if late != nil {
					stale = append(stale, i)
				}
			}
			return stale, nil
		}
	}
}

func ofKind(past []*persist.Job, kind persist.Ending) []*persist.Job {
	return slices.DeleteFunc(past, func(j *persist.Job) bool { return j.End.Kind != kind })
}

var mutants = []mutant{
	{"takes an amendment with an old fence", func(b *lying) {
		b.lies.commit = forEach(func(s persist.Store, step *persist.Step) {
			if step.Verb == persist.Amend {
				newer(s, step)
			}
		})
	}},
	{"takes an end with an old fence", func(b *lying) {
		b.lies.commit = forEach(func(s persist.Store, step *persist.Step) {
			if step.Verb == persist.Resolve {
				newer(s, step)
			}
		})
	}},
	{"refuses the same fence", func(b *lying) {
		b.lies.commit = forEach(func(s persist.Store, step *persist.Step) {
			if j, err := s.Job(bg, step.ID); err == nil && step.Verb == persist.Amend && j.Fence == step.State.Fence && j.Fence > 0 {
				step.State.Fence--
			}
		})
	}},
	{"compares fences when it revives", func(b *lying) {
		b.lies.commit = forEach(func(s persist.Store, step *persist.Step) {
			if j, err := s.Job(bg, step.ID); err == nil && step.Verb == persist.Revive && j.Fence > step.State.Fence {
				step.ID = 1 << 60
			}
		})
	}},
	{"amends what has ended", func(b *lying) {
		b.lies.commit = forEach(func(s persist.Store, step *persist.Step) {
			if j, err := s.Job(bg, step.ID); err == nil && step.Verb == persist.Amend && j.Ended() {
				step.Verb = persist.Revive
			}
		})
	}},
	{"revives what has not ended", func(b *lying) {
		b.lies.commit = forEach(func(s persist.Store, step *persist.Step) {
			if j, err := s.Job(bg, step.ID); err == nil && step.Verb == persist.Revive && !j.Ended() {
				step.Verb = persist.Amend
				step.State.Fence = max(step.State.Fence, j.Fence)
			}
		})
	}},
	{"keeps the old fence when it revives", func(b *lying) {
		b.lies.commit = forEach(func(s persist.Store, step *persist.Step) {
			if step.Verb == persist.Revive {
				newer(s, step)
			}
		})
	}},
	{"tells of no stale steps", func(b *lying) {
		b.lies.commit = func(s persist.Store, steps []persist.Step) ([]int, error) {
			_, err := s.Commit(bg, steps)
			return nil, err
		}
	}},
	{"tells of the first stale step only", func(b *lying) {
		b.lies.commit = func(s persist.Store, steps []persist.Step) ([]int, error) {
			stale, err := s.Commit(bg, steps)
			return stale[:min(1, len(stale))], err
		}
	}},
	{"counts stale steps from one", func(b *lying) {
		b.lies.commit = func(s persist.Store, steps []persist.Step) ([]int, error) {
			stale, err := s.Commit(bg, steps)
			for i := range stale {
				stale[i]++
			}
			return stale, err
		}
	}},
	{"ends a commit at what is stale", func(b *lying) {
		b.lies.commit = func(s persist.Store, steps []persist.Step) ([]int, error) {
			for i := range steps {
				if stale, err := s.Commit(bg, steps[i:i+1]); err != nil || stale != nil {
					return []int{i}[:len(stale)], err
				}
			}
			return s.Commit(bg, nil)
		}
	}},
	{"commits half of what it refuses", func(b *lying) {
		b.lies.commit = func(s persist.Store, steps []persist.Step) ([]int, error) {
			stale, err := s.Commit(bg, steps)
			for i := 0; err != nil && !errors.Is(err, persist.ErrUnknown) && i < len(steps); i++ {
				if _, err := s.Commit(bg, steps[i:i+1]); err != nil {
					break
				}
			}
			return stale, err
		}
	}},
	{"lets readers see half of a commit", func(b *lying) {
		b.lies.commit = func(s persist.Store, steps []persist.Step) ([]int, error) {
			if len(steps) != 3 || steps[0].Verb != persist.Resolve || steps[2].Verb != persist.Resolve {
				return s.Commit(bg, steps)
			}
			return oneByOne(s, steps)
		}
	}},
	{"lets readers see half of a commit of amendments", func(b *lying) {
		b.lies.commit = func(s persist.Store, steps []persist.Step) ([]int, error) {
			if len(steps) != 2 || steps[0].Verb != persist.Amend || steps[1].Verb != persist.Amend {
				return s.Commit(bg, steps)
			}
			return oneByOne(s, steps)
		}
	}},
	{"passes over inserts that are out of order", func(b *lying) {
		b.lies.commit = func(s persist.Store, steps []persist.Step) ([]int, error) {
			stale, err := s.Commit(bg, steps)
			if err != nil && strings.Contains(err.Error(), "after job") {
				return nil, nil
			}
			return stale, err
		}
	}},
	{"passes over verbs that there are not", func(b *lying) {
		b.lies.commit = func(s persist.Store, steps []persist.Step) ([]int, error) {
			steps = slices.DeleteFunc(slices.Clone(steps), func(s persist.Step) bool { return s.Verb == 0 || s.Verb > persist.Prune })
			return s.Commit(bg, steps)
		}
	}},
	{"keeps the state of an insert", func(b *lying) {
		b.lies.commit = func(s persist.Store, steps []persist.Step) ([]int, error) {
			stale, err := s.Commit(bg, steps)
			for _, step := range steps {
				if err == nil && step.Verb == persist.Insert {
					_, _ = s.Commit(bg, []persist.Step{{Verb: persist.Amend, ID: step.Record.ID, State: step.State}})
				}
			}
			return stale, err
		}
	}},

	{"uses IDs again that are forgotten", func(b *lying) {
		b.lies.recover = func(s persist.Store, jobs []*persist.Job, r *persist.Recovery) []*persist.Job {
			past, _ := s.Past(bg, persist.PastQuery{Limit: 1 << 20})
			r.Next = 1
			for _, j := range slices.Concat(jobs, past) {
				r.Next = max(r.Next, j.ID+1)
			}
			return jobs
		}
	}},
	{"counts ends anew when all are forgotten", func(b *lying) {
		var base, last uint64
		b.lies.commit = func(s persist.Store, steps []persist.Step) ([]int, error) {
			if past, err := s.Past(bg, persist.PastQuery{}); err == nil && len(past) == 0 {
				base = last
			}
			stale, err := s.Commit(bg, steps)
			if past, _ := s.Past(bg, persist.PastQuery{}); len(past) > 0 {
				last = past[0].End.Seq
			}
			return stale, err
		}
		b.lies.seen = func(j *persist.Job) {
			if j.End != nil {
				j.End.Seq -= min(base, j.End.Seq)
			}
		}
	}},
	{"keeps the Seq that it is given", func(b *lying) {
		given := make(map[persist.ID]uint64)
		b.lies.commit = forEach(func(_ persist.Store, step *persist.Step) {
			if step.Verb == persist.Resolve {
				given[step.ID] = step.End.Seq
			}
		})
		b.lies.seen = func(j *persist.Job) {
			if j.End != nil && given[j.ID] != 0 {
				j.End.Seq = given[j.ID]
			}
		}
	}},
	{"is always clean", func(b *lying) {
		b.lies.recover = func(_ persist.Store, jobs []*persist.Job, r *persist.Recovery) []*persist.Job {
			r.Clean = true
			return jobs
		}
	}},
	{"is clean for who looks at it a second time", func(b *lying) {
		b.lies.close = func(s persist.Store) error {
			_, _ = s.Recover(bg, func(*persist.Job) error { return nil })
			return s.Close()
		}
	}},
	{"forgets a crash that was not noted", func(b *lying) {
		b.lies.close = func(s persist.Store) error {
			_, _ = s.Commit(bg, nil)
			return s.Close()
		}
	}},
	{"is in use as soon as it is open", func(b *lying) {
		opened := 0
		b.lies.close = func(s persist.Store) error { opened++; return s.Close() }
		b.lies.recover = func(_ persist.Store, jobs []*persist.Job, r *persist.Recovery) []*persist.Job {
			r.Clean = opened > 0 || r.Next == 1
			opened = 0
			return jobs
		}
	}},
	{"counts what is revived as ended", func(b *lying) {
		b.lies.recover = func(_ persist.Store, jobs []*persist.Job, r *persist.Recovery) []*persist.Job {
			for _, j := range jobs {
				if j.Attempts > 0 {
					r.Past[persist.DeadLetter]++
				}
			}
			return jobs
		}
	}},
	{"recovers in the order of little ends", func(b *lying) {
		b.lies.recover = func(_ persist.Store, jobs []*persist.Job, _ *persist.Recovery) []*persist.Job {
			slices.SortStableFunc(jobs, func(a, b *persist.Job) int { return int(a.ID&255) - int(b.ID&255) })
			return jobs
		}
	}},
	{"recovers the latest first", func(b *lying) {
		b.lies.recover = func(_ persist.Store, jobs []*persist.Job, _ *persist.Recovery) []*persist.Job {
			slices.Reverse(jobs)
			return jobs
		}
	}},
	{"forgets what it was told of the last job", func(b *lying) {
		b.lies.recover = func(_ persist.Store, jobs []*persist.Job, _ *persist.Recovery) []*persist.Job {
			return jobs[:max(len(jobs)-1, 0)]
		}
	}},
	{"opens twice", func(b *lying) { b.twice = true }},
	{"answers when it is closed", func(b *lying) {
		b.lies.job = func(s persist.Store, id persist.ID) (*persist.Job, error) {
			j, err := s.Job(bg, id)
			if errors.Is(err, persist.ErrClosed) {
				return nil, persist.ErrNotFound
			}
			return j, err
		}
	}},
	{"does not know what it has settled", func(b *lying) {
		b.lies.settle = func(s persist.Store) (bool, error) {
			committed, err := s.Settle(bg)
			return !committed, err
		}
	}},

	{"loses the tags", seeing(func(j *persist.Job) { j.Tags = nil })},
	{"loses the key", seeing(func(j *persist.Job) { j.Key = "" })},
	{"loses who superseded it", seeing(func(j *persist.Job) {
		if j.End != nil {
			j.End.By = 0
		}
	})},
	{"loses the last failure", seeing(func(j *persist.Job) { j.Last = nil })},
	{"keeps texts as text", seeing(func(j *persist.Job) { j.Key = strings.ToValidUTF8(j.Key, "?") })},
	{"rounds times", seeing(func(j *persist.Job) { j.Submitted = j.Submitted.Truncate(time.Microsecond) })},
	{"keeps times as nanoseconds since 1970", seeing(func(j *persist.Job) { j.Expires = time.Unix(0, j.Expires.UnixNano()) })},
	{"keeps the reading of a clock", seeing(func(j *persist.Job) {
		j.Submitted = time.Now().Add(time.Until(j.Submitted))
	})},
	{"confuses the priorities", seeing(func(j *persist.Job) { j.State.Priority = j.Record.Priority })},
	{"lists payloads", func(b *lying) {
		b.lies.past = func(s persist.Store, q persist.PastQuery) ([]*persist.Job, error) {
			jobs, err := s.Past(bg, q)
			for _, j := range jobs {
				j.Payload, _ = s.Payload(bg, j.ID)
			}
			return jobs, err
		}
	}},
	{"forgets payloads when jobs end", seeing(func(j *persist.Job) {
		if j.Ended() {
			j.Payload = nil
		}
	})},
	{"cuts large payloads", seeing(func(j *persist.Job) { j.Payload = j.Payload[:min(len(j.Payload), 1<<16)] })},
	{"keeps the payload of the caller", func(b *lying) {
		given := make(map[persist.ID][]byte)
		b.lies.commit = forEach(func(_ persist.Store, step *persist.Step) {
			if step.Verb == persist.Insert && step.Record != nil {
				given[step.Record.ID] = step.Record.Payload
			}
		})
		b.lies.seen = func(j *persist.Job) {
			if j.Payload != nil {
				j.Payload = given[j.ID]
			}
		}
	}},
	{"keeps the record of the caller", func(b *lying) {
		given := make(map[persist.ID]*persist.Record)
		b.lies.commit = func(s persist.Store, steps []persist.Step) ([]int, error) {
			stale, err := s.Commit(bg, steps)
			for _, step := range steps {
				if err == nil && step.Verb == persist.Insert {
					given[step.Record.ID] = step.Record
				}
			}
			return stale, err
		}
		b.lies.seen = func(j *persist.Job) {
			if r := given[j.ID]; r != nil {
				j.Type, j.Key, j.Digest, j.Label = r.Type, r.Key, r.Digest, r.Label
			}
		}
	}},
	{"keeps the tags of the caller", func(b *lying) {
		given := make(map[persist.ID][]persist.Tag)
		b.lies.commit = func(s persist.Store, steps []persist.Step) ([]int, error) {
			stale, err := s.Commit(bg, steps)
			for _, step := range steps {
				if err == nil && step.Verb == persist.Insert {
					given[step.Record.ID] = step.Record.Tags
				}
			}
			return stale, err
		}
		b.lies.seen = func(j *persist.Job) { j.Tags = slices.Clone(given[j.ID]) }
	}},
	{"returns what it keeps", func(b *lying) {
		payloads := make(map[persist.ID][]byte)
		b.lies.seen = func(j *persist.Job) {
			if payloads[j.ID] == nil {
				payloads[j.ID] = j.Payload
			}
			if j.Payload != nil {
				j.Payload = payloads[j.ID]
			}
		}
	}},
	{"does not tell what is forgotten from what never was", func(b *lying) {
		b.lies.job = func(s persist.Store, id persist.ID) (*persist.Job, error) {
			j, err := s.Job(bg, id)
			if errors.Is(err, persist.ErrPruned) {
				return nil, persist.ErrNotFound
			}
			return j, err
		}
	}},
	{"has forgotten what never was", func(b *lying) {
		b.lies.job = func(s persist.Store, id persist.ID) (*persist.Job, error) {
			j, err := s.Job(bg, id)
			if errors.Is(err, persist.ErrNotFound) {
				return nil, persist.ErrPruned
			}
			return j, err
		}
	}},

	{"lists the past by ID", func(b *lying) {
		b.lies.past = func(s persist.Store, q persist.PastQuery) ([]*persist.Job, error) {
			jobs, err := s.Past(bg, q)
			slices.SortFunc(jobs, func(a, b *persist.Job) int { return int(b.ID) - int(a.ID) })
			return jobs, err
		}
	}},
	{"lists the past from its beginning", func(b *lying) {
		b.lies.past = func(s persist.Store, q persist.PastQuery) ([]*persist.Job, error) {
			jobs, err := s.Past(bg, q)
			slices.Reverse(jobs)
			return jobs, err
		}
	}},
	{"lists what is before, inclusive", func(b *lying) {
		b.lies.past = func(s persist.Store, q persist.PastQuery) ([]*persist.Job, error) {
			if q.Before != 0 {
				q.Before++
			}
			return s.Past(bg, q)
		}
	}},
	{"counts to the limit before it chooses", func(b *lying) {
		b.lies.past = func(s persist.Store, q persist.PastQuery) ([]*persist.Job, error) {
			want := q.Type
			q.Type = ""
			jobs, err := s.Past(bg, q)
			return slices.DeleteFunc(jobs, func(j *persist.Job) bool { return want != "" && j.Type != want }), err
		}
	}},
	{"finds types by their beginning", func(b *lying) {
		b.lies.past = func(s persist.Store, q persist.PastQuery) ([]*persist.Job, error) {
			want := q.Type
			q.Type = ""
			jobs, err := s.Past(bg, q)
			return slices.DeleteFunc(jobs, func(j *persist.Job) bool { return !strings.HasPrefix(j.Type, want) }), err
		}
	}},
	{"lists twice what is asked for twice", func(b *lying) {
		b.lies.past = func(s persist.Store, q persist.PastQuery) (all []*persist.Job, err error) {
			if len(q.Kinds) != 2 || q.Kinds[0] != q.Kinds[1] {
				return s.Past(bg, q)
			}
			jobs, err := s.Past(bg, q)
			for _, j := range jobs {
				all = append(all, j, j)
			}
			return all, err
		}
	}},
	{"looks at the first kind only", func(b *lying) {
		b.lies.past = func(s persist.Store, q persist.PastQuery) ([]*persist.Job, error) {
			q.Kinds = q.Kinds[:min(1, len(q.Kinds))]
			return s.Past(bg, q)
		}
	}},
	{"has no limit unless it is said", func(b *lying) {
		b.lies.past = func(s persist.Store, q persist.PastQuery) ([]*persist.Job, error) {
			if q.Limit == 0 {
				q.Limit = 1 << 20
			}
			return s.Past(bg, q)
		}
	}},

	{"forgets the latest", pruning(func(past []*persist.Job, step persist.Step) []*persist.Job {
		past = ofKind(past, step.Kind)
		return past[:min(step.Count, len(past))]
	})},
	{"forgets by ID", pruning(func(past []*persist.Job, step persist.Step) []*persist.Job {
		past = ofKind(past, step.Kind)
		slices.SortFunc(past, func(a, b *persist.Job) int { return int(a.ID) - int(b.ID) })
		return past[:min(step.Count, len(past))]
	})},
	{"forgets whatever the kind", pruning(func(past []*persist.Job, step persist.Step) []*persist.Job {
		slices.Reverse(past)
		return past[:min(step.Count, len(past))]
	})},
	{"forgets all when it is to forget none", pruning(func(past []*persist.Job, step persist.Step) []*persist.Job {
		past = ofKind(past, step.Kind)
		slices.Reverse(past)
		if step.Count == 0 {
			return past
		}
		return past[:min(step.Count, len(past))]
	})},
	{"does not forget", func(b *lying) {
		b.lies.commit = forEach(func(_ persist.Store, step *persist.Step) {
			if step.Verb == persist.Prune {
				step.Count = 0
			}
		})
	}},
	{"forgets what was revived by where it was", func(b *lying) {
		hidden, ended := make(map[persist.ID]bool), make(map[persist.ID]persist.Ending)
		hide(b, hidden)
		b.lies.commit = func(s persist.Store, steps []persist.Step) ([]int, error) {
			stale, err := s.Commit(bg, steps)
			for _, step := range steps {
				switch {
				case err != nil:
				case step.Verb == persist.Resolve:
					ended[step.ID] = step.End.Kind
				case step.Verb == persist.Prune && step.Count > 0:
					for id, kind := range ended {
						if j, err := s.Job(bg, id); err == nil && !j.Ended() && kind == step.Kind {
							hidden[id] = true
						}
					}
				}
			}
			return stale, err
		}
	}},
}

// Nobody may break a rule and win.
func TestEveryMutantLoses(t *testing.T) {
	for _, m := range mutants {
		t.Run(m.does, func(t *testing.T) {
			open := func() persist.Backend {
				b := &lying{Memory: memstore.New()}
				m.spoil(b)
				return b
			}
			byScenario, byHistory := loses(t, open)
			if byScenario == "" {
				t.Errorf("wins every scenario; histories find %s", byHistory)
			}
			t.Logf("scenario: %s\nhistory: %s", byScenario, byHistory)
		})
	}
}

// loses returns what the first scenario and the first history that are lost have to say.
func loses(t *testing.T, open func() persist.Backend) (byScenario, byHistory string) {
	for _, s := range scenarios() {
		if said := verdict(t, func(t testing.TB) { s.play(begin(t, open())) }); said != nil {
			byScenario = s.sentence + ": " + said[0]
			break
		}
	}
	for seed := range uint64(20) {
		if said := verdict(t, func(t testing.TB) { Play(t, open, random(seed)) }); said != nil {
			return byScenario, said[0]
		}
	}
	return byScenario, ""
}

// What is not wrong has nothing said of it.
func TestWhoBreaksNoRuleWins(t *testing.T) {
	byScenario, byHistory := loses(t, func() persist.Backend { return &lying{Memory: memstore.New()} })
	if byScenario+byHistory != "" {
		t.Error(byScenario, byHistory)
	}
}

// What is shown is not more than is needed.
func TestAHistoryIsShortened(t *testing.T) {
	open := func() persist.Backend {
		b := &lying{Memory: memstore.New()}
		seeing(func(j *persist.Job) { j.Tags = nil })(b)
		return b
	}
	shortened := 0
	for seed := range uint64(20) {
		moves := decode(random(seed))
		long := play(open(), moves)
		if long.wrong == nil {
			continue // in which no job has tags
		}
		short := shorten(open, moves, long)
		if len(short.lines) != 2 || short.wrong == nil {
			t.Errorf("seed %d: %v after\n%s", seed, short.wrong, short.story())
		}
		shortened++
	}
	if shortened == 0 {
		t.Error("nothing was found")
	}
}
