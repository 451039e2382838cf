// Package inspect says what the settings of a tree amount to, before anything runs
// and while it runs.
//
//	for _, f := range inspect.Vet(app) {
//		t.Error(f) // in a test of the program
//	}
//
//	e, err := inspect.Explain(app, "/app/pool/db")
//	fmt.Println(e)
//
// [Vet] finds settings that contradict each other: each is valid by itself, and
// together they do something else than they say. It looks at what is declared, so
// the answer is the same whether the tree runs or not. What it reports is certain
// from the settings alone: a custom backoff, an error that asks for its own delay
// and tasks that are added at run time are not guessed at, and a default is never
// called a contradiction of what somebody has set on purpose. What the Defaults of a
// supervisor set is looked at by itself, whoever inherits it: a controller declares
// no tasks.
//
// [Explain] says what happens if one task fails now: who answers and how, what is
// stopped and started in which order, which supervisors end, how long that may take,
// and how many such failures the tree survives. Of a tree that runs it takes the
// present state, of one that does not the first moment in which all of it is up.
//
// Nothing is run, stopped or changed by either. The supervisor that is asked is
// taken for the root: what is above it is not seen.
package inspect
