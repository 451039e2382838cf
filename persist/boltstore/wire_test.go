package boltstore

import (
	"bytes"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/policy"
)

func TestWhatIsEncodedIsDecodedAgain(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 5_000 {
		inline := rnd.IntN(64)
		r := randomRecord(rnd)
		var got persist.Record
		payload, apart, err := readRecord(appendRecord(nil, r, inline), &got, texts{})
		if err != nil {
			t.Fatalf("%+v: %v", r, err)
		}
		if len(r.Payload) > inline {
			if apart == nil || payload != nil || !apart.fits(r.Payload) {
				t.Fatalf("%+v: payload %x, apart %+v", r, payload, apart)
			}
			payload = r.Payload
		}
		got.ID, got.Payload = r.ID, payload
		if len(r.Payload) == 0 {
			got.Payload = r.Payload
		}
		if !reflect.DeepEqual(&got, r) {
			t.Fatalf("got  %+v\nwant %+v", got, r)
		}

		s, end := randomState(rnd), randomEnd(rnd)
		b := appendState(nil, s, end)
		var state persist.State
		gotEnd, err := readState(b, &state)
		if err != nil {
			t.Fatalf("%+v: %v", s, err)
		}
		if !reflect.DeepEqual(&state, s) || !reflect.DeepEqual(gotEnd, end) {
			t.Fatalf("got  %+v %+v\nwant %+v %+v", state, gotEnd, s, end)
		}
		g, err := readGist(b)
		want := gist{fence: s.Fence}
		if end != nil {
			want.kind, want.seq = end.Kind, end.Seq
		}
		if err != nil || g != want {
			t.Fatalf("gist %+v, %v; want %+v", g, err, want)
		}

		l := tally{serial: rnd.Uint64(), last: persist.ID(rnd.Uint64()), seq: rnd.Uint64(), pending: rnd.Uint64(), blobs: rnd.Uint64N(2)}
		for _, kind := range persist.Endings() {
			l.past[kind] = rnd.Uint64N(3)
		}
		if got, err := readTally(appendTally(nil, &l)); err != nil || got != l {
			t.Fatalf("got  %+v, %v\nwant %+v", got, err, l)
		}
	}
}

func TestWhatIsZeroTakesNoRoom(t *testing.T) {
	if b := appendRecord(nil, &persist.Record{}, 0); len(b) != 0 {
		t.Errorf("record: %x", b)
	}
	if b := appendState(nil, &persist.State{}, nil); len(b) != 0 {
		t.Errorf("state: %x", b)
	}
	if b := appendTally(nil, &tally{}); len(b) != 0 {
		t.Errorf("tally: %x", b)
	}
}

func TestFieldsOfTheFutureAreSkipped(t *testing.T) {
	future := func(b []byte) []byte {
		b = protowire.AppendTag(b, 99, protowire.BytesType)
		b = protowire.AppendBytes(b, []byte("later"))
		b = protowire.AppendTag(b, 100, protowire.StartGroupType)
		b = appendUint(b, 101, 7)
		b = protowire.AppendTag(b, 100, protowire.EndGroupType)
		return appendFloat(b, 102, 1.5)
	}
	rnd := rand.New(rand.NewPCG(3, 4))
	s, end := randomState(rnd), &persist.End{Kind: persist.Failed, Seq: 7}
	var state persist.State
	got, err := readState(appendState(future(nil), s, end), &state)
	if err != nil || !reflect.DeepEqual(&state, s) || !reflect.DeepEqual(got, end) {
		t.Errorf("state %+v, end %+v, %v", state, got, err)
	}
	r := randomRecord(rnd)
	r.ID, r.Payload = 0, nil
	var record persist.Record
	if _, _, err := readRecord(future(appendRecord(nil, r, 0)), &record, nil); err != nil || !reflect.DeepEqual(&record, r) {
		t.Errorf("record %+v, %v", record, err)
	}
}

func TestAChecksumIsOfTheBucketTheKeyAndTheValue(t *testing.T) {
	key := []byte("12345678")
	v := seal(appendNumber(nil, 42), 0, states, key)
	if n, err := number(states, key, v); n != 42 || err != nil {
		t.Fatal(n, err)
	}
	if _, err := unseal(jobs, key, v); err == nil {
		t.Error("a value is valid in another bucket")
	}
	if _, err := unseal(states, []byte("12345679"), v); err == nil {
		t.Error("a value is valid under another key")
	}
	for i := range v {
		for bit := range 8 {
			c := bytes.Clone(v)
			c[i] ^= 1 << bit
			if _, err := unseal(states, key, c); err == nil {
				t.Errorf("bit %d of byte %d can be changed", bit, i)
			}
		}
	}
	for n := range v {
		if _, err := unseal(states, key, v[:n]); err == nil {
			t.Errorf("%d bytes are enough", n)
		}
	}
}

func FuzzReadRecord(f *testing.F) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for range 20 {
		f.Add(appendRecord(nil, randomRecord(rnd), 8))
	}
	f.Add([]byte{0x7a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		var r, again persist.Record
		payload, apart, err := readRecord(b, &r, texts{})
		typeOf(b)
		if err != nil || apart != nil {
			return
		}
		// What was read is what is written and read again.
		r.Payload = payload
		p, _, err := readRecord(appendRecord(nil, &r, math.MaxInt), &again, nil)
		again.Payload = p
		if len(payload) == 0 {
			r.Payload, again.Payload = nil, nil
		}
		if factor := r.Rules.Backoff.Factor; err == nil && factor != factor {
			return // what is no number is equal to nothing
		}
		if err != nil || !reflect.DeepEqual(r, again) {
			t.Fatalf("%+v\n%+v\n%v", r, again, err)
		}
	})
}

func FuzzReadState(f *testing.F) {
	rnd := rand.New(rand.NewPCG(7, 8))
	for range 20 {
		f.Add(appendState(nil, randomState(rnd), randomEnd(rnd)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var s, again persist.State
		end, err := readState(b, &s)
		g, gistErr := readGist(b)
		if err != nil {
			return
		}
		if gistErr != nil || g.fence != s.Fence || g.ended() != (end != nil) {
			t.Fatalf("gist %+v, %v, of %+v %+v", g, gistErr, s, end)
		}
		endAgain, err := readState(appendState(nil, &s, end), &again)
		if err != nil || !reflect.DeepEqual(s, again) || !reflect.DeepEqual(end, endAgain) {
			t.Fatalf("%+v %+v\n%+v %+v\n%v", s, end, again, endAgain, err)
		}
	})
}

func FuzzReadTally(f *testing.F) {
	f.Add(appendTally(nil, &tally{serial: 1, last: 2, seq: 3, pending: 4, blobs: 5}))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := readTally(b)
		if err != nil {
			return
		}
		if again, err := readTally(appendTally(nil, &l)); err != nil || again != l {
			t.Fatalf("%+v\n%+v\n%v", l, again, err)
		}
		readNumber(b)
	})
}

// Values of all kinds, zeros among them.

func maybe[T any](rnd *rand.Rand, v T) T {
	if rnd.IntN(3) == 0 {
		var zero T
		return zero
	}
	return v
}

func randomText(rnd *rand.Rand) string {
	b := make([]byte, rnd.IntN(300)>>rnd.IntN(6))
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	return string(b)
}

func randomTime(rnd *rand.Rand) time.Time {
	switch rnd.IntN(8) {
	case 0:
		return time.Time{}
	case 1:
		return time.Unix(0, 0).UTC()
	case 2:
		return firstTime.UTC()
	case 3:
		return lastTime.UTC()
	case 4:
		return time.Date(rnd.IntN(200_000)-100_000, 1, 1, 0, 0, 0, rnd.IntN(1e9), time.UTC)
	}
	return time.Unix(0, int64(rnd.Uint64())).UTC()
}

func randomRecord(rnd *rand.Rand) *persist.Record {
	r := &persist.Record{
		ID: persist.ID(rnd.Uint64()), Type: randomText(rnd), Key: randomText(rnd),
		Label: randomText(rnd), Group: randomText(rnd), Priority: persist.Priority(rnd.Uint32()),
		Submitted: randomTime(rnd), RunAt: randomTime(rnd),
		TTL: maybe(rnd, time.Duration(rnd.Uint64())), TTLFrom: persist.TTLFrom(rnd.IntN(2)),
		Payload: []byte(randomText(rnd)),
	}
	if rnd.IntN(2) == 0 {
		r.Digest = persist.Digest{byte(rnd.Uint32()), 15: byte(rnd.Uint32())}
	}
	for range rnd.IntN(4) {
		r.Tags = append(r.Tags, persist.Tag{Key: randomText(rnd), Value: randomText(rnd)})
	}
	if rnd.IntN(2) == 0 {
		r.Rules = persist.Rules{
			MaxRetries: maybe(rnd, int(rnd.Uint64())), Timeout: maybe(rnd, time.Duration(rnd.Uint64())),
			Stall: maybe(rnd, time.Duration(rnd.Uint64())), Grace: maybe(rnd, time.Duration(rnd.Uint64())),
			Backoff: policy.Backoff{
				Shape: policy.Shape(rnd.IntN(4)), Jitter: policy.Jitter(rnd.IntN(4)),
				First: maybe(rnd, time.Duration(rnd.Uint64())), Max: maybe(rnd, time.Hour),
				Factor: maybe(rnd, rnd.Float64()), Step: maybe(rnd, time.Second),
			},
		}
	}
	return r
}

func randomState(rnd *rand.Rand) *persist.State {
	s := &persist.State{
		Fence: maybe(rnd, rnd.Uint64()), Claimed: rnd.IntN(2) == 0,
		Attempts: maybe(rnd, int(rnd.Uint64())), Failures: maybe(rnd, int(rnd.Uint32())),
		Priority: persist.Priority(rnd.Uint32()), RunAt: randomTime(rnd), Expires: randomTime(rnd),
		Pause: maybe(rnd, time.Duration(rnd.Uint64())), Verdict: maybe(rnd, persist.Cancelled),
		Crashes: rnd.IntN(3), Parked: randomText(rnd),
	}
	if rnd.IntN(2) == 0 {
		s.Last = &persist.Failure{At: randomTime(rnd), Attempt: rnd.IntN(4), Exit: policy.Exit(rnd.IntN(8)), Text: randomText(rnd)}
	}
	return s
}

func randomEnd(rnd *rand.Rand) *persist.End {
	if rnd.IntN(2) == 0 {
		return nil
	}
	kinds := persist.Endings()
	return &persist.End{
		Kind: kinds[rnd.IntN(len(kinds))], At: randomTime(rnd), Seq: rnd.Uint64(),
		Elapsed: maybe(rnd, time.Duration(rnd.Uint64())), By: persist.ID(maybe(rnd, rnd.Uint64())), Text: randomText(rnd),
	}
}
