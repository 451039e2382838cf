package storetest

import (
	"fmt"
	"reflect"
	"time"

	"github.com/taskvisor/taskvisor/persist"
)

// The types of the jobs here. Each but the last is the beginning of another.
var types = []string{"a", "ab", "a/b", "b"}

// record returns what there is to say of a job. Which record is said by n.
func record(id persist.ID, n byte) *persist.Record {
	r := &persist.Record{
		ID:        id,
		Type:      types[n%4],
		Label:     fmt.Sprint("job ", id),
		Priority:  persist.Priority(n),
		Submitted: instant(int(id)),
		Payload:   []byte(fmt.Sprintf("payload of %d, %d", id, n)),
	}
	if n&4 != 0 {
		r.Key, r.Digest = string([]byte{n, 0, 0xff}), persist.Digest{n, 15: 1}
		r.Tags = []persist.Tag{{Key: "k", Value: "v"}, {Key: "k2", Value: string([]byte{n})}}
	}
	if n&8 != 0 {
		r.RunAt, r.TTL = instant(int(n)), time.Duration(n)*time.Millisecond
		r.TTLFrom = persist.TTLFrom(n >> 7)
	}
	if n&16 != 0 {
		r.Group = "group"
		r.Rules = persist.Rules{MaxRetries: int(n) - 20, Timeout: time.Duration(n), Grace: -1}
		r.Rules.Backoff.First, r.Rules.Backoff.Factor = time.Second, 1.5
	}
	if n&32 != 0 {
		r.Payload = nil
	}
	return r
}

// state returns a state with that fence. Which one is said by n.
func state(fence uint64, n byte) persist.State {
	s := persist.State{Fence: fence, Attempts: int(n), Failures: int(n / 2), Priority: persist.Priority(n)}
	if n&4 != 0 {
		s.Claimed, s.Crashes, s.RunAt = true, 2, instant(int(n))
	}
	if n&8 != 0 {
		s.Last = &persist.Failure{At: instant(int(n)), Attempt: int(n), Exit: 3, Text: "it failed"}
	}
	if n&16 != 0 {
		s.Parked, s.Expires, s.Pause = "parked", instant(int(n)), time.Minute
	}
	return s
}

// instant returns one of many times, not all of one zone, and not rounded.
func instant(n int) time.Time {
	zone := time.FixedZone("", (n%24-12)*3600)
	return time.Date(2026, 2, 3, 4, 5, 6, 987654321, zone).Add(time.Duration(n) * 1000000007)
}

// filled returns a T none of whose fields is zero, and of which no two are the same where
// they have room for that. A field that is added one day is filled, too.
func filled[T any](seed int) T {
	var v T
	fill(reflect.ValueOf(&v).Elem(), &seed)
	return v
}

func fill(v reflect.Value, n *int) {
	*n++
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(instant(*n)))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint8: // mostly an enum, and each of them has a value of one
		v.SetUint(1)
	case reflect.Uint64:
		v.SetUint(uint64(*n))
	case reflect.Float64:
		v.SetFloat(float64(*n) + 0.5)
	case reflect.String:
		v.SetString(fmt.Sprintf("%04d\x00\xff", *n))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Func: // a stored one is nil
	default:
		panic(fmt.Sprintf("storetest: there is no filling for a %v", v.Type()))
	}
}
