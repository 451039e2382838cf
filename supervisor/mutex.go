package supervisor

import "sync"

// mutex is a sync.Mutex for what is done in less than a microsecond, without waiting for
// anything.
//
// Who finds a sync.Mutex taken while others wait for a processor is put to sleep at once, and
// in a busy process that is always so. To fall asleep and to be woken takes longer than what
// is done under the lock, and meanwhile it is free and nobody has it. Here one looks again
// first, for about as long as Go does when nobody waits for a processor.
type mutex struct{ sync.Mutex }

// looks is how often one looks before one sleeps, which takes one or two microseconds.
const looks = 1000

// Lock takes the lock.
func (m *mutex) Lock() {
	for range looks {
		if m.TryLock() {
			return
		}
	}
	m.Mutex.Lock()
}
