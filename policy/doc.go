// Package policy decides what happens after an attempt of a task has ended:
// whether it runs again ([Rules]), when ([Backoff], [RepeatDelay]), and whether
// it has done so too often ([Intensity], [Window]).
//
// The package only decides. It starts no goroutine, reads no clock and writes no
// log: what it needs to know is an argument, what it has decided is a result.
// So the same values serve a task in memory and a job on disk, and every rule
// can be tested as a table.
//
// Two conventions hold everywhere:
//
//   - A setting that is zero is not said: it is inherited where there is something
//     to inherit from, and the default otherwise. What zero therefore cannot say
//     has a name, such as [Forever] or [NoRetry].
//   - A setting that makes no sense is refused by its Validate method with a
//     [*FieldError]; nothing panics on it, and no constructor returns an error.
//
// All types but [Window] and the result of [Backoff.New] are plain values, safe
// to copy and to share. The texts of the enums are stable.
package policy
