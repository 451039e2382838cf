package persist

import (
	"fmt"
	"testing"
)

// What is known of domains that nobody has defined goes with their types.
func TestADomainWithoutTypesIsForgotten(t *testing.T) {
	b := newBook()
	b.phase, b.queueSet = inService, base()
	for i := range 1000 {
		r := &Record{ID: ID(i + 1), Type: fmt.Sprintf("tenant%d/job", i)}
		s := r.InitialState()
		e := b.newEntry(r, &s, b.kind(r.Type))
		b.register(e)
		b.settleIn(e)
		b.forget(e)
	}
	if len(b.domains) > 0 || len(b.kinds) > 0 {
		t.Errorf("%d domains, %d types", len(b.domains), len(b.kinds))
	}
}
