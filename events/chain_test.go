package events

import (
	"reflect"
	"testing"
)

func TestAChunkFillsEightKiB(t *testing.T) {
	const block = 8 << 10
	size, event := reflect.TypeFor[chunk]().Size(), reflect.TypeFor[Event]().Size()
	if size > block || size+event <= block {
		t.Errorf("a chunk has %d bytes with %d events of %d: adjust chunkSize", size, chunkSize, event)
	}
	if event > 200 {
		t.Errorf("an Event has %d bytes, and every subscriber's copy as many", event)
	}
}

func TestAChainKeepsItsOrderAndUsesItsChunksAgain(t *testing.T) {
	var c chain
	var spare chunks
	const n = 5*chunkSize + 1
	for round := range 2 {
		for i := range n {
			c.add(&Event{Seq: uint64(i)}, &spare)
		}
		if spare.count != 0 {
			t.Errorf("round %d: %d chunks lie idle while the chain is at its longest", round, spare.count)
		}
		next := uint64(0)
		for k := c.first; k != nil; {
			for _, e := range k.events[:k.used] {
				if e.Seq != next {
					t.Fatalf("round %d: found %d where %d belongs", round, e.Seq, next)
				}
				next++
			}
			empty := k
			k = k.empty()
			spare.push(empty)
		}
		if next != n {
			t.Errorf("round %d: %d events came out, want %d", round, next, n)
		}
		c = chain{}
	}
}

func TestTheSpareRoomIsBounded(t *testing.T) {
	var spare chunks
	for range 2 * maxSpare {
		spare.push(new(chunk))
	}
	if spare.count != maxSpare {
		t.Errorf("%d chunks are kept, want %d", spare.count, maxSpare)
	}
}
