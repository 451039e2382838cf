// Package torture holds the tests that kill a durable queue. It has no code of its own.
//
// A process, the victim, runs a queue on a file and tells over a pipe what it is about to
// do, what it was answered, and when handlers begin and end. It is killed at moments that
// chance chooses, and started again on the same file, until it is told to run dry. Another
// process, the witness, hears all of this: it knows what was promised, and finds what was
// not kept, in what it hears and in the file.
//
// The victim is the test binary itself. `go test` kills for a few seconds; for longer:
//
//	make torture CYCLES=2000
//	make torture FOR=1h SEED=4711
//
// A failure tells its seed, what was heard of the job concerned, and where the file was
// kept. The same seed makes the same decisions again; when the processor gets to them is
// not repeated, so it may take some runs to see the same failure.
package torture
