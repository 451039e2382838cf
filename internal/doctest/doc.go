// Package doctest holds the test that type-checks the Go code in README.md and
// docs/. It has no code of its own.
//
// A block that begins with a package clause is taken as it is. Any other is a
// fragment, of declarations or of statements: the packages that it names are
// imported for it, and what the reader is assumed to have is declared in a comment
// directly above the block:
//
//	<!-- given: var ctx context.Context; var server *http.Server -->
package doctest
