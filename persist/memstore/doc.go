// Package memstore keeps jobs in memory, for tests and for work that need not survive the
// process. It is obvious rather than fast: it is what other stores are compared with, see
// storetest.
package memstore
