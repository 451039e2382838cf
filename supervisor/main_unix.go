//go:build unix

package supervisor

import (
	"os"
	"os/signal"
	"syscall"
)

// notifyLook has the signal sent to c that asks for a look at the tree.
func notifyLook(c chan<- os.Signal) { signal.Notify(c, syscall.SIGUSR1) }
