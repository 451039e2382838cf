package boltstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Fields are appended to a buffer. Those that are zero are left out.

func appendUint(b []byte, n protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), v)
}

func appendInt(b []byte, n protowire.Number, v int64) []byte {
	return appendUint(b, n, protowire.EncodeZigZag(v))
}

func appendBool(b []byte, n protowire.Number, v bool) []byte {
	if !v {
		return b
	}
	return appendUint(b, n, 1)
}

func appendText[T ~string | ~[]byte](b []byte, n protowire.Number, v T) []byte {
	if len(v) == 0 {
		return b
	}
	b = protowire.AppendTag(b, n, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(len(v)))
	return append(b, v...)
}

func appendFloat(b []byte, n protowire.Number, v float64) []byte {
	if math.Float64bits(v) == 0 {
		return b
	}
	return protowire.AppendFixed64(protowire.AppendTag(b, n, protowire.Fixed64Type), math.Float64bits(v))
}

// The fields of a time that is not a number.
const (
	timeSeconds protowire.Number = iota + 1
	timeNanos
)

var firstTime, lastTime = time.Unix(0, math.MinInt64), time.Unix(0, math.MaxInt64)

// appendTime leaves out the zero time, and not the beginning of 1970. A time is a number of
// nanoseconds, and what is too far away for that is a message: a time to live of three
// hundred years must not end in the past.
func appendTime(b []byte, n protowire.Number, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	if !t.Before(firstTime) && !t.After(lastTime) {
		b = protowire.AppendTag(b, n, protowire.VarintType)
		return protowire.AppendVarint(b, protowire.EncodeZigZag(t.UnixNano()))
	}
	b, at := begin(b, n)
	b = appendInt(b, timeSeconds, t.Unix())
	b = appendUint(b, timeNanos, uint64(t.Nanosecond()))
	return finish(b, at)
}

// begin opens a message, which finish ends. Between them its fields are appended.
func begin(b []byte, n protowire.Number) ([]byte, int) {
	b = protowire.AppendTag(b, n, protowire.BytesType)
	return b, len(b)
}

// finish puts the length of a message in front of it.
func finish(b []byte, at int) []byte {
	size := len(b) - at
	b = protowire.AppendVarint(b, uint64(size))
	var length [binary.MaxVarintLen64]byte
	width := copy(length[:], b[at+size:])
	copy(b[at+width:], b[at:at+size])
	copy(b[at:], length[:width])
	return b
}

// fields reads what was appended. After the first error there is no next.
type fields struct {
	rest []byte
	num  protowire.Number
	typ  protowire.Type
	err  error
}

var (
	errShort = errors.New("ends in the middle of a field")
	errRange = errors.New("is out of range")
)

func (f *fields) next() bool {
	if f.err != nil || len(f.rest) == 0 {
		return false
	}
	num, typ, n := protowire.ConsumeTag(f.rest)
	if n < 0 {
		f.err = fmt.Errorf("a field is malformed: %w", protowire.ParseError(n))
		return false
	}
	f.num, f.typ, f.rest = num, typ, f.rest[n:]
	return true
}

// fail keeps the first error.
func (f *fields) fail(err error) {
	if f.err == nil {
		f.err = fmt.Errorf("field %d: %w", f.num, err)
	}
}

// took goes on behind n bytes, and reports whether they are there.
func (f *fields) took(want protowire.Type, n int) bool {
	switch {
	case f.typ != want:
		f.fail(fmt.Errorf("has wire type %d", f.typ))
		return false
	case n < 0:
		f.fail(errShort)
		return false
	}
	f.rest = f.rest[n:]
	return true
}

func (f *fields) uint() uint64 {
	v, n := protowire.ConsumeVarint(f.rest)
	if !f.took(protowire.VarintType, n) {
		return 0
	}
	return v
}

func (f *fields) int64() int64 { return protowire.DecodeZigZag(f.uint()) }

func (f *fields) int() int {
	v := f.int64()
	if int64(int(v)) != v {
		f.fail(errRange)
	}
	return int(v)
}

func (f *fields) byte() uint8 {
	v := f.uint()
	if v > math.MaxUint8 {
		f.fail(errRange)
	}
	return uint8(v)
}

func (f *fields) bool() bool { return f.uint() != 0 }

func (f *fields) duration() time.Duration { return time.Duration(f.int64()) }

func (f *fields) time() time.Time {
	if f.typ != protowire.BytesType {
		return time.Unix(0, f.int64()).UTC()
	}
	var seconds int64
	var nanos uint64
	m := f.message()
	for m.next() {
		switch m.num {
		case timeSeconds:
			seconds = m.int64()
		case timeNanos:
			nanos = m.uint()
		default:
			m.skip()
		}
	}
	f.done(&m)
	if nanos >= uint64(time.Second) {
		f.fail(errRange)
		return time.Time{}
	}
	return time.Unix(seconds, int64(nanos)).UTC()
}

func (f *fields) float() float64 {
	v, n := protowire.ConsumeFixed64(f.rest)
	if !f.took(protowire.Fixed64Type, n) {
		return 0
	}
	return math.Float64frombits(v)
}

// bytes returns a part of what is read.
func (f *fields) bytes() []byte {
	v, n := protowire.ConsumeBytes(f.rest)
	if !f.took(protowire.BytesType, n) {
		return nil
	}
	return v
}

func (f *fields) text() string { return string(f.bytes()) }

// message returns the fields of a message.
func (f *fields) message() fields { return fields{rest: f.bytes()} }

// done takes over the error of a message.
func (f *fields) done(m *fields) {
	if m.err != nil {
		f.fail(m.err)
	}
}

// skip goes past a field that this version does not know.
func (f *fields) skip() {
	n := protowire.ConsumeFieldValue(f.num, f.typ, f.rest)
	f.took(f.typ, n)
}

// sumField is the last field of every value: a checksum of the bucket, the key and all
// fields before. Pages have none of their own, and a value that was changed on the disk
// shall be found out, and not run.
const (
	sumField = 15
	sumSize  = 1 + crc32.Size
	sumTag   = sumField<<3 | byte(protowire.Fixed32Type)
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(in bucket, key, value []byte) uint32 {
	return crc32.Update(crc32.Update(uint32(in), castagnoli, key), castagnoli, value)
}

// seal appends the checksum of the value that begins at start.
func seal(b []byte, start int, in bucket, key []byte) []byte {
	sum := checksum(in, key, b[start:])
	return binary.LittleEndian.AppendUint32(append(b, sumTag), sum)
}

var errSum = errors.New("the checksum does not fit")

// unseal returns the fields of a value.
func unseal(in bucket, key, value []byte) ([]byte, error) {
	n := len(value) - sumSize
	if n < 0 || value[n] != sumTag {
		return nil, errors.New("has no checksum")
	}
	if checksum(in, key, value[:n]) != binary.LittleEndian.Uint32(value[n+1:]) {
		return nil, errSum
	}
	return value[:n], nil
}
