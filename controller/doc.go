// Package controller will be the keyed door to a supervisor: one owner per key, and
// a rule (queue, replace, drop) for work that finds its key taken.
//
// It holds no code yet.
package controller
