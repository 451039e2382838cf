//go:build !unix

package supervisor

import "os"

// notifyLook does nothing: no signal is left for programs to give a meaning to.
func notifyLook(chan<- os.Signal) {}
