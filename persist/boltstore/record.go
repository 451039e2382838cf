package boltstore

import (
	"hash/crc32"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/policy"
)

// The fields of a record. Numbers are never used again.
const (
	recordType protowire.Number = iota + 1
	recordKey
	recordDigest
	recordLabel
	recordGroup
	recordPriority
	recordTag
	recordSubmitted
	recordRunAt
	recordTTL
	recordTTLFrom
	recordRules
	recordPayload
	recordBlob
)

// Those of a tag.
const (
	tagKey protowire.Number = iota + 1
	tagValue
)

// Those of rules.
const (
	rulesMaxRetries protowire.Number = iota + 1
	rulesBackoff
	rulesTimeout
	rulesStall
	rulesGrace
)

// Those of a backoff.
const (
	backoffShape protowire.Number = iota + 1
	backoffJitter
	backoffFirst
	backoffMax
	backoffFactor
	backoffStep
)

// Those of a blob.
const (
	blobSize protowire.Number = iota + 1
	blobSum
)

// blob says what the payload is that lies in blobs. Its checksum is here, so that a large
// payload is stored without being copied.
type blob struct {
	size uint64
	sum  uint32
}

// fits reports whether payload is what was put there.
func (p blob) fits(payload []byte) bool {
	return uint64(len(payload)) == p.size && crc32.Checksum(payload, castagnoli) == p.sum
}

// appendRecord appends all of r but its ID, which is the key. A payload larger than inline
// is named only.
func appendRecord(b []byte, r *persist.Record, inline int) []byte {
	b = appendText(b, recordType, r.Type)
	b = appendText(b, recordKey, r.Key)
	if !r.Digest.IsZero() {
		b = appendText(b, recordDigest, r.Digest[:])
	}
	b = appendText(b, recordLabel, r.Label)
	b = appendText(b, recordGroup, r.Group)
	b = appendUint(b, recordPriority, uint64(r.Priority))
	for i := range r.Tags {
		var at int
		b, at = begin(b, recordTag)
		b = appendText(b, tagKey, r.Tags[i].Key)
		b = appendText(b, tagValue, r.Tags[i].Value)
		b = finish(b, at)
	}
	b = appendTime(b, recordSubmitted, r.Submitted)
	b = appendTime(b, recordRunAt, r.RunAt)
	b = appendInt(b, recordTTL, int64(r.TTL))
	b = appendUint(b, recordTTLFrom, uint64(r.TTLFrom))
	b = appendRules(b, &r.Rules)
	if len(r.Payload) <= inline {
		return appendText(b, recordPayload, r.Payload)
	}
	b, at := begin(b, recordBlob)
	b = appendUint(b, blobSize, uint64(len(r.Payload)))
	b = appendUint(b, blobSum, uint64(crc32.Checksum(r.Payload, castagnoli)))
	return finish(b, at)
}

// appendRules leaves rules out that say nothing.
func appendRules(b []byte, r *persist.Rules) []byte {
	start := len(b)
	b, at := begin(b, recordRules)
	b = appendInt(b, rulesMaxRetries, int64(r.MaxRetries))
	b = appendBackoff(b, &r.Backoff)
	b = appendInt(b, rulesTimeout, int64(r.Timeout))
	b = appendInt(b, rulesStall, int64(r.Stall))
	b = appendInt(b, rulesGrace, int64(r.Grace))
	if len(b) == at {
		return b[:start]
	}
	return finish(b, at)
}

func appendBackoff(b []byte, o *policy.Backoff) []byte {
	start := len(b)
	b, at := begin(b, rulesBackoff)
	b = appendUint(b, backoffShape, uint64(o.Shape))
	b = appendUint(b, backoffJitter, uint64(o.Jitter))
	b = appendInt(b, backoffFirst, int64(o.First))
	b = appendInt(b, backoffMax, int64(o.Max))
	b = appendFloat(b, backoffFactor, o.Factor)
	b = appendInt(b, backoffStep, int64(o.Step))
	if len(b) == at {
		return b[:start]
	}
	return finish(b, at)
}

// texts returns one string for all that are equal. There are few types and groups.
type texts map[string]string

const maxTexts = 4096

func (t texts) of(b []byte) string {
	if s, ok := t[string(b)]; ok {
		return s
	}
	s := string(b)
	if t != nil && len(t) < maxTexts {
		t[s] = s
	}
	return s
}

// readRecord reads into r, which is zero, all but its ID and its payload, which it returns
// as a part of b. If blob is not nil, the payload lies in blobs.
func readRecord(b []byte, r *persist.Record, known texts) (payload []byte, apart *blob, err error) {
	f := fields{rest: b}
	for f.next() {
		switch f.num {
		case recordType:
			r.Type = known.of(f.bytes())
		case recordKey:
			r.Key = f.text()
		case recordDigest:
			if d := f.bytes(); len(d) == len(r.Digest) {
				copy(r.Digest[:], d)
			} else {
				f.fail(errRange)
			}
		case recordLabel:
			r.Label = f.text()
		case recordGroup:
			r.Group = known.of(f.bytes())
		case recordPriority:
			r.Priority = persist.Priority(f.byte())
		case recordTag:
			r.Tags = append(r.Tags, readTag(&f))
		case recordSubmitted:
			r.Submitted = f.time()
		case recordRunAt:
			r.RunAt = f.time()
		case recordTTL:
			r.TTL = f.duration()
		case recordTTLFrom:
			r.TTLFrom = persist.TTLFrom(f.byte())
		case recordRules:
			r.Rules = readRules(&f)
		case recordPayload:
			payload = f.bytes()
		case recordBlob:
			apart = readBlob(&f)
		default:
			f.skip()
		}
	}
	return payload, apart, f.err
}

func readTag(f *fields) (t persist.Tag) {
	m := f.message()
	for m.next() {
		switch m.num {
		case tagKey:
			t.Key = m.text()
		case tagValue:
			t.Value = m.text()
		default:
			m.skip()
		}
	}
	f.done(&m)
	return t
}

func readRules(f *fields) (r persist.Rules) {
	m := f.message()
	for m.next() {
		switch m.num {
		case rulesMaxRetries:
			r.MaxRetries = m.int()
		case rulesBackoff:
			r.Backoff = readBackoff(&m)
		case rulesTimeout:
			r.Timeout = m.duration()
		case rulesStall:
			r.Stall = m.duration()
		case rulesGrace:
			r.Grace = m.duration()
		default:
			m.skip()
		}
	}
	f.done(&m)
	return r
}

func readBackoff(f *fields) (o policy.Backoff) {
	m := f.message()
	for m.next() {
		switch m.num {
		case backoffShape:
			o.Shape = policy.Shape(m.byte())
		case backoffJitter:
			o.Jitter = policy.Jitter(m.byte())
		case backoffFirst:
			o.First = m.duration()
		case backoffMax:
			o.Max = m.duration()
		case backoffFactor:
			o.Factor = m.float()
		case backoffStep:
			o.Step = m.duration()
		default:
			m.skip()
		}
	}
	f.done(&m)
	return o
}

func readBlob(f *fields) *blob {
	p := &blob{}
	m := f.message()
	for m.next() {
		switch m.num {
		case blobSize:
			p.size = m.uint()
		case blobSum:
			p.sum = uint32(m.uint())
		default:
			m.skip()
		}
	}
	f.done(&m)
	return p
}

// typeOf returns the type in a record, as a part of b.
func typeOf(b []byte) ([]byte, error) {
	f := fields{rest: b}
	for f.next() {
		if f.num == recordType {
			return f.bytes(), f.err
		}
		f.skip()
	}
	return nil, f.err
}
