package persist

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/taskvisor/taskvisor/policy"
)

// every is one option of each kind that can be said anywhere, with a value of its own.
func every(n int) []Option {
	d := time.Duration(n) * time.Second
	return []Option{
		WithPriority(Priority(n)), WithGroup(strings.Repeat("g", n)), WithLabel(strings.Repeat("l", n)), WithDelay(d), WithTTL(d),
		WithMaxRetries(n), WithBackoff(policy.Constant(d)), WithTimeout(d), WithStall(d), WithGrace(d),
	}
}

func TestTheNearestLayerCountsForEachSettingOnItsOwn(t *testing.T) {
	layers := []layer{ofQueue, ofDomain, ofType, ofBatch, ofCall}
	whats := []setting{
		setPriority, setGroup, setLabel, setRunAt, setTTL, setMaxRetries, setBackoff, setTimeout, setStall, setGrace,
	}
	for i, what := range whats {
		// Each layer in turn is the nearest that says it.
		for upTo := range layers {
			s := base()
			for n, l := range layers {
				var opts []Option
				if n <= upTo {
					opts = every(n + 1)[i : i+1]
				}
				s = s.with(l, opts)
			}
			if err := s.err(); err != nil {
				t.Fatalf("%s: %v", settingNames[what], err)
			}
			want := base().with(layers[upTo], every(upTo + 1)[i:i+1])
			if s.from[what] != layers[upTo] {
				t.Errorf("%s comes from %s, want %s", settingNames[what], layerNames[s.from[what]], layerNames[layers[upTo]])
			}
			if got, want := s.explain()[what], want.explain()[what]; got != want {
				t.Errorf("%s: %v, want %v", settingNames[what], got, want)
			}
			for other := range settingsCount {
				if other != what && s.from[other] != byDefault {
					t.Errorf("%s: %s comes from %s too", settingNames[what], settingNames[other], layerNames[s.from[other]])
				}
			}
		}
	}
}

func TestALayerDoesNotTouchTheOneBelow(t *testing.T) {
	low := base().with(ofType, []Option{WithTag("b", "low"), WithTag("d", "low")})
	one := low.with(ofCall, []Option{WithTag("a", "one"), WithTag("b", "one")})
	two := low.with(ofCall, []Option{WithTag("c", "two"), WithTag("d", "two"), WithLabel(strings.Repeat("x", MaxLabel+1))})
	bad := low.with(ofCall, []Option{WithDelay(-1)})
	for _, row := range []struct {
		what string
		s    settings
		want []Tag
	}{
		{"low", low, []Tag{{Key: "b", Value: "low"}, {Key: "d", Value: "low"}}},
		{"one", one, []Tag{{Key: "a", Value: "one"}, {Key: "b", Value: "one"}, {Key: "d", Value: "low"}}},
		{"two", two, []Tag{{Key: "b", Value: "low"}, {Key: "c", Value: "two"}, {Key: "d", Value: "two"}}},
	} {
		if !slices.Equal(row.s.tags, row.want) {
			t.Errorf("%s: %v, want %v", row.what, row.s.tags, row.want)
		}
	}
	if low.err() != nil || one.err() != nil || len(two.errs) != 1 || len(bad.errs) != 1 {
		t.Errorf("errors %v, %v, %v, %v", low.err(), one.err(), two.err(), bad.err())
	}
}

func TestZerosThatAreSaidAreNotTakenForUnsaid(t *testing.T) {
	far := []Option{
		WithPriority(Idle), WithGroup("g"), WithTTL(time.Hour), WithMaxRetries(9), WithTimeout(time.Hour), WithStall(time.Hour),
		WithGrace(time.Hour), WithDelay(time.Hour), WithLabel("l"), WithDuplicates(Reject), WithDurability(Relaxed),
		WithBackoff(policy.Constant(time.Hour)),
	}
	near := []Option{
		WithPriority(0), WithGroup(""), WithTTL(0), WithMaxRetries(0), WithTimeout(0), WithStall(0),
		WithGrace(0), WithDelay(0), WithLabel(""), WithDuplicates(0), WithDurability(0), WithBackoff(policy.Backoff{}),
	}
	s := base().with(ofType, far).with(ofCall, near)
	if err := s.err(); err != nil {
		t.Fatal(err)
	}
	if s.priority != Realtime || s.group != "" || s.ttl != 0 || s.delay != 0 || s.label != "" || s.duplicates != Skip || s.durability != Strict {
		t.Errorf("%+v", s)
	}
	want := Rules{MaxRetries: policy.NoRetry, Timeout: policy.NoTimeout, Stall: policy.NoTimeout, Grace: policy.NoGrace}
	own := s.ownRules()
	if own.MaxRetries != want.MaxRetries || own.Timeout != want.Timeout || own.Stall != want.Stall || own.Grace != want.Grace {
		t.Errorf("rules %+v, want %+v", own, want)
	}
	if own.Backoff.IsZero() || own.Backoff.Pause(0, 0) > policy.DefaultFirst {
		t.Errorf("a backoff that was said to be the default one is %v", own.Backoff)
	}
}

func TestRulesThatWereNotSaidOfASubmissionAreNotItsOwn(t *testing.T) {
	said := []Option{
		WithMaxRetries(2), WithBackoff(policy.Constant(time.Second)), WithTimeout(time.Second), WithStall(time.Second), WithGrace(time.Second),
	}
	for _, l := range []layer{ofQueue, ofDomain, ofType} {
		s := base().with(l, said).with(ofCall, nil)
		if own := s.ownRules(); own.MaxRetries != 0 || own.Timeout != 0 || own.Stall != 0 || own.Grace != 0 || !own.Backoff.IsZero() {
			t.Errorf("%s: %+v", layerNames[l], own)
		}
	}
	for _, l := range []layer{ofBatch, ofCall} {
		s := base().with(l, said)
		if own := s.ownRules(); own.MaxRetries != 2 || own.Timeout != time.Second || own.Stall != time.Second || own.Grace != time.Second || own.Backoff.IsZero() {
			t.Errorf("%s: %+v", layerNames[l], own)
		}
	}
}

// custom is a backoff that cannot be stored.
func custom() policy.Backoff {
	return policy.Backoff{Custom: func() backoff.BackOff { return backoff.NewConstantBackOff(time.Second) }}
}

func TestOptionsRefuseWhatCannotBe(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n+1) }
	var many []Option
	for i := range MaxTags + 1 {
		many = append(many, WithTag(long(i), ""))
	}
	for _, row := range []struct {
		what  string
		layer layer
		opts  []Option
		field string // "" if all is well
	}{
		{"nothing", ofCall, nil, ""},
		{"no option", ofCall, []Option{nil}, "Option"},
		{"a group as long as may be", ofCall, []Option{WithGroup(long(MaxName - 1))}, ""},
		{"a group that is too long", ofCall, []Option{WithGroup(long(MaxName))}, "Group"},
		{"a key as long as may be", ofCall, []Option{WithKey(long(MaxKey - 1))}, ""},
		{"a key that is too long", ofCall, []Option{WithKey(long(MaxKey))}, "Key"},
		{"an empty key", ofCall, []Option{WithKey("")}, "Key"},
		{"a key of a batch", ofBatch, []Option{WithKey("k")}, "Key"},
		{"a key of a type", ofType, []Option{WithKey("k")}, "Key"},
		{"a key of a domain", ofDomain, []Option{WithKey("k")}, "Key"},
		{"a key of a queue", ofQueue, []Option{WithKey("k")}, "Key"},
		{"no key of a queue", ofQueue, []Option{WithoutKey()}, ""},
		{"a label as long as may be", ofCall, []Option{WithLabel(long(MaxLabel - 1))}, ""},
		{"a label that is too long", ofCall, []Option{WithLabel(long(MaxLabel))}, "Label"},
		{"a delay that is negative", ofCall, []Option{WithDelay(-1)}, "Delay"},
		{"a time that is past", ofCall, []Option{WithRunAt(time.Unix(0, 0))}, ""},
		{"a life that is negative", ofCall, []Option{WithTTL(-1)}, "TTL"},
		{"a life from the first attempt that is negative", ofCall, []Option{WithTTLFromFirstAttempt(-1)}, "TTL"},
		{"a strategy that is not known", ofCall, []Option{WithDuplicates(Reject + 1)}, "Duplicates"},
		{"a mode that is not known", ofCall, []Option{WithDurability(Relaxed + 1)}, "Durability"},
		{"retries that are negative", ofCall, []Option{WithMaxRetries(-1)}, "MaxRetries"},
		{"no retries", ofCall, []Option{WithMaxRetries(policy.NoRetry)}, ""},
		{"retries without end", ofCall, []Option{WithMaxRetries(policy.Unlimited)}, ""},
		{"a backoff that is none", ofCall, []Option{WithBackoff(policy.Backoff{First: -1})}, "Backoff.First"},
		{"a backoff of one's own, of a submission", ofCall, []Option{WithBackoff(custom())}, "Backoff"},
		{"a backoff of one's own, of a batch", ofBatch, []Option{WithBackoff(custom())}, "Backoff"},
		{"a backoff of one's own, of a type", ofType, []Option{WithBackoff(custom())}, ""},
		{"a timeout that is negative", ofCall, []Option{WithTimeout(-1)}, "Timeout"},
		{"a stall that is negative", ofCall, []Option{WithStall(-1)}, "Stall"},
		{"a grace that is negative", ofCall, []Option{WithGrace(-1)}, "Grace"},
		{"a tag without a key", ofCall, []Option{WithTag("", "v")}, "Tag"},
		{"a tag as long as may be", ofCall, []Option{WithTag(long(MaxTagKey-1), long(MaxTagValue-1))}, ""},
		{"a tag whose key is too long", ofCall, []Option{WithTag(long(MaxTagKey), "v")}, "Tag"},
		{"a tag whose value is too long", ofCall, []Option{WithTag("k", long(MaxTagValue))}, "Tag"},
		{"as many tags as may be", ofCall, many[:MaxTags], ""},
		{"too many tags", ofCall, many, "Tag"},
		{"a codec of a submission", ofCall, []Option{WithCodec(JSON)}, "Codec"},
		{"a codec of a batch", ofBatch, []Option{WithCodec(JSON)}, "Codec"},
		{"no codec", ofType, []Option{WithCodec(nil)}, "Codec"},
		{"aliases of a submission", ofCall, []Option{WithAliases("a")}, "Aliases"},
		{"aliases of a domain", ofDomain, []Option{WithAliases("a")}, "Aliases"},
	} {
		s := base().with(row.layer, row.opts)
		err := s.err()
		var field *policy.FieldError
		switch {
		case row.field == "" && err != nil:
			t.Errorf("%s: %v", row.what, err)
		case row.field != "" && (!errors.As(err, &field) || field.Field != row.field):
			t.Errorf("%s: error %v, want one of the field %s", row.what, err, row.field)
		}
	}
}

func TestATagThatIsSaidTwiceIsOne(t *testing.T) {
	var opts []Option
	for range 2 {
		for i := range MaxTags {
			opts = append(opts, WithTag(strings.Repeat("x", i+1), "v"))
		}
	}
	s := base().with(ofCall, opts)
	if err := s.err(); err != nil || len(s.tags) != MaxTags {
		t.Errorf("%d tags, error %v", len(s.tags), err)
	}
	if !slices.IsSortedFunc(s.tags, func(a, b Tag) int { return strings.Compare(a.Key, b.Key) }) {
		t.Errorf("not in the order of their keys: %v", s.tags)
	}
}
