// Package storetest plays with a persist.Store, and every store must win: a table of
// scenarios, one for each sentence of the contract, and histories made of bytes, in which
// the store has to give the answers that memstore gives.
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) persist.Backend {
//			return boltstore.File(filepath.Join(t.TempDir(), "jobs.db"), boltstore.Options{})
//		})
//	}
//
// What the contract leaves open is not asked: what a store says of IDs that were left out,
// whether it returns nil or nothing in a slice, and in which zone its times are.
package storetest
