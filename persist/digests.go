package persist

import "sync"

// digests has those of a batch made beside the rest, since for payloads they take about as long: part after part,
// as their records are ready.
type digests struct {
	from   int // where the next part begins
	size   int // how much there is to hash in it so far
	beside sync.WaitGroup
}

// A part has partSize bytes to hash at least, and there are about maxParts at most.
const (
	partSize = 32 << 10
	maxParts = 64
)

// add says that the records up to n are ready. The last part is left to rest.
func (d *digests) add(records []prepared, n int) {
	d.size += records[n-1].keySize()
	if d.size < partSize || n-d.from <= len(records)/maxParts || n == len(records) {
		return
	}
	part := records[d.from:n]
	d.beside.Go(func() { digestAll(part) })
	d.from, d.size = n, 0
}

// rest makes those that are left.
func (d *digests) rest(records []prepared) { digestAll(records[d.from:]) }

// wait returns when the parts are made. Then d is as new.
func (d *digests) wait() {
	d.beside.Wait()
	d.from, d.size = 0, 0
}

func digestAll(records []prepared) {
	for i := range records {
		records[i].digest()
	}
}
