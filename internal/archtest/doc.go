// Package archtest holds the tests that keep the module's shape: who may import
// whom, which files may start a goroutine, and where a clock may be read. It has
// no code of its own; the tables in its tests are the rules, and each row says why.
package archtest
