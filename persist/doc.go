// Package persist will be the durable door to a supervisor: jobs that are on disk
// when they are acknowledged, and that survive the end of the process.
//
// It holds no code yet.
package persist
