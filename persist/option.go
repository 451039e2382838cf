package persist

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/taskvisor/taskvisor/policy"
)

// Option is one setting of jobs. The same options are said of a queue, a domain, a type, a
// batch and a single submission; what is said nearest to the submission counts. What is not
// said anywhere has a default. Queue.Explain tells where each setting comes from.
type Option func(*settings)

// setting names one of them.
type setting uint8

const (
	setPriority setting = iota
	setGroup
	setKey
	setLabel
	setRunAt
	setTTL
	setDuplicates
	setDurability
	setMaxRetries
	setBackoff
	setTimeout
	setStall
	setGrace
	setCodec
	setTags
	setAliases
	settingsCount
)

var settingNames = [settingsCount]string{
	setPriority: "priority", setGroup: "group", setKey: "key", setLabel: "label", setRunAt: "run_at", setTTL: "ttl",
	setDuplicates: "duplicates", setDurability: "durability", setMaxRetries: "max_retries", setBackoff: "backoff",
	setTimeout: "timeout", setStall: "stall", setGrace: "grace", setCodec: "codec", setTags: "tags", setAliases: "aliases",
}

// layer is where an option is said.
type layer uint8

const (
	byDefault layer = iota
	ofQueue
	ofDomain
	ofType
	ofBatch
	ofCall
)

var layerNames = [...]string{
	byDefault: "default", ofQueue: "queue", ofDomain: "domain", ofType: "type", ofBatch: "batch", ofCall: "submission",
}

// keying is how a job comes by its key.
type keying uint8

const (
	keyOfPayload keying = iota
	keyOfType
	keyGiven
	keyNone
)

// settings are what options say, layer upon layer.
type settings struct {
	layer layer
	from  [settingsCount]layer
	errs  []error

	priority   Priority
	group      string
	keying     keying
	key        string
	label      string
	delay      time.Duration
	at         time.Time
	ttl        time.Duration
	ttlFrom    TTLFrom
	duplicates Duplicates
	durability Durability
	rules      Rules
	codec      Codec
	tags       []Tag
	aliases    []string
}

// base are the settings of a queue of which nothing is said.
func base() settings {
	return settings{
		priority: Normal, codec: JSON,
		rules: Rules{MaxRetries: DefaultMaxRetries, Timeout: policy.NoTimeout, Stall: policy.NoTimeout, Grace: policy.DefaultGrace},
	}
}

// with returns the settings with one more layer upon them.
func (s settings) with(l layer, opts []Option) settings {
	s.layer = l
	s.tags = slices.Clip(s.tags)
	for _, o := range opts {
		if o == nil {
			s.refuse("Option", nil, "must not be nil")
			continue
		}
		o(&s)
	}
	return s
}

func (s *settings) said(what setting) { s.from[what] = s.layer }

func (s *settings) refuse(field string, value any, reason string) {
	s.errs = append(slices.Clip(s.errs), &policy.FieldError{Field: field, Value: value, Reason: reason})
}

// only refuses an option that is said where it has no meaning.
func (s *settings) only(field string, where ...layer) bool {
	if slices.Contains(where, s.layer) {
		return true
	}
	s.refuse(field, nil, "cannot be said of a "+layerNames[s.layer])
	return false
}

// err returns what is wrong with the settings, or nil.
func (s *settings) err() error { return errors.Join(s.errs...) }

// WithPriority says how urgent the jobs are.
func WithPriority(p Priority) Option {
	return func(s *settings) { s.said(setPriority); s.priority = p }
}

// WithGroup says whose jobs share a limit, see Queue.SetGroupLimit. An empty name takes
// the jobs out of any group.
func WithGroup(name string) Option {
	return func(s *settings) {
		s.said(setGroup)
		s.group = name
		if len(name) > MaxName {
			s.refuse("Group", len(name), "is longer than MaxName")
		}
	}
}

// WithKey gives a submission its key: of the jobs of a type that have not ended, only one
// has it. Otherwise the key is what Type.KeyedBy makes of the input, or else the whole
// payload. It cannot be empty, and can only be said of a single submission.
func WithKey(key string) Option {
	return func(s *settings) {
		if !s.only("Key", ofCall) {
			return
		}
		s.said(setKey)
		s.keying, s.key = keyGiven, key
		switch {
		case key == "":
			s.refuse("Key", key, "must not be empty; WithoutKey says that there is none")
		case len(key) > MaxKey:
			s.refuse("Key", len(key), "is longer than MaxKey")
		}
	}
}

// WithoutKey says that jobs have no key: each submission is a job of its own.
func WithoutKey() Option {
	return func(s *settings) { s.said(setKey); s.keying, s.key = keyNone, "" }
}

// WithLabel says what people are to read, where they would read the key.
func WithLabel(text string) Option {
	return func(s *settings) {
		s.said(setLabel)
		s.label = text
		if len(text) > MaxLabel {
			s.refuse("Label", len(text), "is longer than MaxLabel")
		}
	}
}

// WithDelay says that jobs are to run so long after their submission at the earliest. It is at
// most MaxWait.
func WithDelay(d time.Duration) Option {
	return func(s *settings) {
		s.said(setRunAt)
		s.delay, s.at = d, time.Time{}
		switch {
		case d < 0:
			s.refuse("Delay", d, "must not be negative")
		case d > MaxWait:
			s.refuse("Delay", d, "is longer than MaxWait")
		}
	}
}

// WithRunAt says before when a job is not to run. What is past is at once. A submission is
// refused if that is more than MaxWait after it. The wall clock counts, should it be set
// meanwhile.
func WithRunAt(t time.Time) Option {
	return func(s *settings) {
		s.said(setRunAt)
		s.delay, s.at = 0, t.Round(0)
		if t.Before(time.Time{}) { // which no JSON could tell
			s.at = time.Time{}
		}
	}
}

// WithTTL says after how long jobs are not worth running any more, counted from the
// submission, a delay included. One that has not run then, or waits for a retry or for anything
// else, ends as Expired; while the queue drains, in its next run. It is at most MaxWait; zero and policy.Forever mean never.
func WithTTL(d time.Duration) Option { return ttl(d, TTLFromSubmission) }

// WithTTLFromFirstAttempt is WithTTL counted from the beginning of the first attempt.
func WithTTLFromFirstAttempt(d time.Duration) Option { return ttl(d, TTLFromFirstAttempt) }

func ttl(d time.Duration, from TTLFrom) Option {
	return func(s *settings) {
		s.said(setTTL)
		s.ttl, s.ttlFrom = d, from
		switch {
		case d < 0:
			s.refuse("TTL", d, "must not be negative")
		case d == policy.Forever:
			s.ttl = 0
		case d > MaxWait:
			s.refuse("TTL", d, "is longer than MaxWait")
		}
	}
}

// WithDuplicates says what becomes of a submission whose key is taken.
func WithDuplicates(d Duplicates) Option {
	return func(s *settings) {
		s.said(setDuplicates)
		s.duplicates = d
		if !duplicates.Known(d) {
			s.refuse("Duplicates", d, "is not a known strategy")
		}
	}
}

// WithDurability says when submissions are acknowledged.
func WithDurability(d Durability) Option {
	return func(s *settings) {
		s.said(setDurability)
		s.durability = d
		if !durabilities.Known(d) {
			s.refuse("Durability", d, "is not a known mode")
		}
	}
}

// WithMaxRetries says how many failed attempts of a job may be followed by another: n means
// n+1 attempts. Zero and policy.NoRetry mean none, policy.Unlimited that there is no limit.
func WithMaxRetries(n int) Option {
	return func(s *settings) {
		s.said(setMaxRetries)
		s.rules.MaxRetries = n
		switch {
		case n == 0:
			s.rules.MaxRetries = policy.NoRetry
		case n < 0 && n != policy.NoRetry:
			s.refuse("MaxRetries", n, "must not be negative")
		}
	}
}

// WithBackoff says how long jobs pause before a retry. A Custom one can be said of queues,
// domains and types: it cannot be stored. It is made anew for each retry, and asked as often
// as there were failures.
func WithBackoff(b policy.Backoff) Option {
	return func(s *settings) {
		s.said(setBackoff)
		if b.IsZero() {
			b.First = policy.DefaultFirst // the same, and not taken for unsaid
		}
		s.rules.Backoff = b
		if err := b.Validate(); err != nil {
			s.errs = append(slices.Clip(s.errs), err)
		}
		if b.Custom != nil && s.layer >= ofBatch {
			s.refuse("Backoff", "custom", "cannot be stored; say it of the type")
		}
	}
}

// WithTimeout ends the context of attempts that take longer; that counts as a failure. Zero
// and policy.NoTimeout mean that there is none.
func WithTimeout(d time.Duration) Option {
	return duration(setTimeout, "Timeout", d, policy.NoTimeout, func(r *Rules) *time.Duration { return &r.Timeout })
}

// WithStall ends the context of attempts that have reported no progress, and not called
// actor.Beat, for that long; that counts as a failure. Zero and policy.NoTimeout mean that
// nothing is expected.
func WithStall(d time.Duration) Option {
	return duration(setStall, "Stall", d, policy.NoTimeout, func(r *Rules) *time.Duration { return &r.Stall })
}

// WithGrace says how long attempts may take to return after their context has ended. Zero
// means policy.NoGrace.
func WithGrace(d time.Duration) Option {
	return duration(setGrace, "Grace", d, policy.NoGrace, func(r *Rules) *time.Duration { return &r.Grace })
}

func duration(what setting, field string, d, zero time.Duration, of func(*Rules) *time.Duration) Option {
	return func(s *settings) {
		s.said(what)
		if d == 0 {
			d = zero
		}
		*of(&s.rules) = d
		if d < 0 {
			s.refuse(field, d, "must not be negative")
		}
	}
}

// WithTag adds a tag. One of the same key that is said farther away is replaced.
func WithTag(key, value string) Option {
	return func(s *settings) {
		s.said(setTags)
		switch {
		case key == "":
			s.refuse("Tag", key, "must have a key")
		case len(key) > MaxTagKey:
			s.refuse("Tag", key, "has a key longer than MaxTagKey")
		case len(value) > MaxTagValue:
			s.refuse("Tag", key, "has a value longer than MaxTagValue")
		}
		at, there := slices.BinarySearchFunc(s.tags, key, func(t Tag, k string) int { return strings.Compare(t.Key, k) })
		tags := slices.Clone(s.tags) // those of a layer below are shared
		if there {
			tags[at].Value = value
		} else {
			tags = slices.Insert(tags, at, Tag{Key: key, Value: value})
		}
		s.tags = tags
		if len(tags) > MaxTags {
			s.refuse("Tag", len(tags), "is one of more than MaxTags")
		}
	}
}

// WithCodec says how inputs are encoded. It cannot be said of a single submission.
func WithCodec(c Codec) Option {
	return func(s *settings) {
		if !s.only("Codec", ofQueue, ofDomain, ofType) {
			return
		}
		s.said(setCodec)
		s.codec = c
		if c == nil {
			s.refuse("Codec", nil, "must not be nil")
		}
	}
}

// WithAliases says under which names the type was known before: jobs that were stored under
// those are its own. They are full names, as domain/name, and can only be said of a type. A key
// belongs to the name under which it was submitted: until the jobs under an old name have ended,
// one of theirs may run at the same time as one of the new name with the same key.
func WithAliases(names ...string) Option {
	return func(s *settings) {
		if s.only("Aliases", ofType) {
			s.said(setAliases)
			s.aliases = append(slices.Clone(s.aliases), names...)
		}
	}
}
