package persist

import (
	"bytes"
	"encoding/json"
	"slices"
)

// scribe writes the payloads of what is submitted together. To find memory for each of many takes about as long as to
// encode them, so the small ones of a batch share some. What of them is to last, is copied.
type scribe struct {
	batch  bool
	left   int    // how many are still to come, this one included
	room   []byte // for the next ones of a batch
	chunks [][]byte
	used   int // how many of the chunks, the last of which has the room
	text   bytes.Buffer
	json   *json.Encoder // to text
}

// Payloads of a batch that are as large as ownMemory have memory of their own, others share as much as a chunk.
const (
	ownMemory = 4 << 10
	chunk     = 32 << 10
	maxChunks = 16 // that are kept for another batch
)

// clear says that nobody needs the payloads any more.
func (w *scribe) clear() {
	w.room, w.used = nil, 0
	if len(w.chunks) > maxChunks {
		w.chunks = slices.Delete(w.chunks, maxChunks, len(w.chunks))
	}
	if w.text.Cap() > chunk {
		w.text = bytes.Buffer{}
	}
}

// payload returns what a submission carries, as bytes that nobody else changes before clear.
func (w *scribe) payload(s *Submission, c Codec) (payload []byte, err error) {
	if s.def != nil {
		payload, err = w.encode(c, s.value)
	} else {
		payload, _ = s.value.([]byte)
		payload = w.copy(payload)
	}
	w.left--
	return payload, err
}

// encode survives a codec, or a method of the input, that panics.
func (w *scribe) encode(c Codec, v any) (data []byte, err error) {
	defer survive(c, &err)
	if _, ours := c.(jsonCodec); ours {
		return w.encodeJSON(v)
	}
	data, err = c.Marshal(v)
	return w.copy(data), err
}

func (w *scribe) encodeJSON(v any) ([]byte, error) {
	if !w.batch {
		return json.Marshal(v)
	}
	if w.json == nil {
		w.json = json.NewEncoder(&w.text)
	}
	w.text.Reset()
	if err := w.json.Encode(v); err != nil {
		return nil, err
	}
	return w.copy(w.text.Bytes()[:w.text.Len()-1]), nil // it ends each with a new line
}

func (w *scribe) copy(data []byte) []byte {
	if !w.batch || len(data) == 0 || len(data) >= ownMemory {
		return bytes.Clone(data)
	}
	for len(w.room) < len(data) {
		if w.used == len(w.chunks) {
			w.chunks = append(w.chunks, make([]byte, min(chunk, w.left*len(data))))
		}
		w.room = w.chunks[w.used]
		w.used++
	}
	n := copy(w.room, data)
	data, w.room = w.room[:n:n], w.room[n:]
	return data
}
