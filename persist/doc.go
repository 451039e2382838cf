// Package persist is the durable door to a supervisor: jobs that are on disk when they
// are acknowledged, and that survive the end of the process.
package persist
