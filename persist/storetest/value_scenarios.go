package storetest

import (
	"bytes"
	"math"
	"strings"
	"time"

	"github.com/taskvisor/taskvisor/persist"
)

var values = []scenario{
	{"every field is kept", func(g *game) {
		r := filled[persist.Record](1)
		r.ID, r.Priority = 1, 200
		in := persist.Step{Verb: persist.Insert, Record: &r}
		change := persist.Step{Verb: persist.Amend, ID: 1, State: filled[persist.State](100)}
		change.State.Verdict, change.State.Priority = persist.Superseded, 7
		end := persist.Step{Verb: persist.Resolve, ID: 1, State: filled[persist.State](200), End: filled[persist.End](300)}
		end.End.Kind = persist.DependencyFailed
		g.commit(in)
		g.is(expect(0, in))
		g.commit(change)
		g.is(expect(0, in, change))
		g.commit(end)
		g.is(expect(1, in, end))
	}},

	{"what is zero stays zero", func(g *game) {
		in := persist.Step{Verb: persist.Insert, Record: &persist.Record{ID: 1}}
		change := persist.Step{Verb: persist.Amend, ID: 1}
		end := persist.Step{Verb: persist.Resolve, ID: 1, End: persist.End{Kind: persist.Completed}}
		g.commit(in)
		g.is(expect(0, in))
		g.commit(change)
		g.is(expect(0, in, change))
		for _, at := range []time.Time{g.job(1).Submitted, g.job(1).State.RunAt, g.job(1).Expires} {
			if !at.IsZero() {
				g.Errorf("a zero time is %v", at)
			}
		}
		g.commit(end)
		g.is(expect(1, in, end))
		failed := persist.Step{Verb: persist.Revive, ID: 1, State: persist.State{Last: &persist.Failure{}}}
		g.commit(failed)
		g.is(expect(0, in, failed))
	}},

	{"a text is any bytes", func(g *game) {
		every := make([]byte, 256)
		for i := range every {
			every[i] = byte(i)
		}
		for i, text := range []string{string(every), "\x00", "\xff\xfe", "\xed\xa0\x80", " ", "\n", `"'\`, strings.Repeat("é", 512)} {
			r := record(persist.ID(i+1), 0)
			r.Type, r.Key, r.Label, r.Group = "t"+text, text, text, text
			r.Tags = []persist.Tag{{}, {Key: text, Value: text}, {Key: text}}
			r.Payload = []byte(text)
			copy(r.Digest[:], text)
			in := persist.Step{Verb: persist.Insert, Record: r}
			end := resolve(r.ID, 0, persist.Failed)
			end.State.Last, end.State.Parked = &persist.Failure{Text: text}, text
			end.End.Text = text
			g.commit(in, end)
			g.is(expect(uint64(i+1), in, end))
			g.wantPast(persist.PastQuery{Type: r.Type}, r.ID)
		}
	}},

	{"a time is exact, of any zone and any year", func(g *game) {
		id := persist.ID(0)
		for _, at := range []time.Time{
			time.Now(), // which has the reading of a monotonic clock
			time.Unix(0, 0),
			time.Unix(-1, 999_999_999),
			time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC),
			time.Date(1969, 12, 31, 23, 59, 59, 999999999, time.FixedZone("west", -11*3600-1800)),
			time.Date(2026, 6, 1, 12, 0, 0, 123456789, time.FixedZone("far", 14*3600)),
			time.Date(2318, 1, 1, 0, 0, 0, 1, time.Local),
			time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
		} {
			id++
			r := record(id, 0)
			r.Submitted, r.RunAt = at, at
			in := persist.Step{Verb: persist.Insert, Record: r}
			end := resolve(id, 0, persist.Failed)
			end.State.RunAt, end.State.Expires, end.State.Last = at, at, &persist.Failure{At: at}
			end.End.At = at
			g.commit(in, end)
			g.is(expect(uint64(id), in, end))
		}
	}},

	{"the longest life is not too long", func(g *game) {
		r := record(1, 0)
		r.TTL = math.MaxInt64
		in := persist.Step{Verb: persist.Insert, Record: r}
		g.commit(in)
		g.is(expect(0, in))
	}},

	{"the largest and smallest numbers are kept", func(g *game) {
		r := record(1, 0)
		r.TTL, r.Priority = math.MinInt64, 255
		r.Rules.MaxRetries, r.Rules.Timeout, r.Rules.Stall, r.Rules.Grace = math.MinInt, -1, math.MaxInt64, math.MinInt64
		r.Rules.Backoff.Factor, r.Rules.Backoff.Max = math.MaxFloat64, math.MaxInt64
		in := persist.Step{Verb: persist.Insert, Record: r}
		end := resolve(1, math.MaxUint64, persist.Failed)
		end.State.Attempts, end.State.Failures, end.State.Crashes, end.State.Pause = math.MaxInt, math.MinInt, -1, math.MinInt64
		end.End.By, end.End.Elapsed = math.MaxUint64, math.MinInt64
		g.commit(in, end)
		g.is(expect(1, in, end))
	}},

	{"a payload may be large, or empty", func(g *game) {
		for i, n := range []int{persist.MaxPayload, 0, 1, 4096, 65536} {
			in := insert(persist.ID(i + 1))
			in.Record.Payload = bytes.Repeat([]byte{0, 1, 0xff, byte(i)}, n/4+1)[:n]
			g.commit(in)
			g.is(expect(0, in))
		}
	}},

	{"a payload stays until the job is forgotten", func(g *game) {
		want := record(1, 1).Payload
		check := func(when string) {
			g.Helper()
			got, err := g.store.Payload(g.ctx, 1)
			if err != nil {
				g.Fatalf("%s: %v", when, err)
			}
			if d := diff(want, got); d != "" {
				g.Fatalf("%s: payload%s", when, d)
			}
			clear(got) // it is the caller's own
			scribble(g.job(1))
		}
		g.commit(insert(1))
		check("inserted")
		g.commit(amend(1, 1))
		check("amended")
		g.commit(resolve(1, 1, persist.Failed))
		check("ended")
		g.commit(revive(1, 1))
		check("revived")
		g.commit(resolve(1, 1, persist.Failed))
		g.reopen()
		check("opened again")
		g.commit(prune(persist.Failed, 1))
		g.gone(1, persist.ErrPruned)
	}},
}
