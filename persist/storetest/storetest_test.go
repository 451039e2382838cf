package storetest_test

import (
	"testing"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
	"github.com/taskvisor/taskvisor/persist/storetest"
)

// The reference wins against itself, see also memstore.
func FuzzHistory(f *testing.F) {
	storetest.Fuzz(f, func(*testing.T) persist.Backend { return memstore.New() })
}
