//go:build unix

package torture

import (
	"strings"
	"testing"
)

// A witness that finds nothing whatever it hears would make every campaign a success. So it is
// told stories in which one promise is broken, beside one in which all are kept.
func TestTheWitnessFindsWhatWasNotKept(t *testing.T) {
	const one, keyed = `sub {"n":1,"type":"other"}`, `sub {"n":1,"type":"keyed","key":"k"}`
	const two = `sub {"n":2,"type":"keyed","key":"k"}`
	for _, test := range []struct {
		name  string
		story string // lines; "kill" ends a life
		want  string // part of the fault, or nothing
	}{
		{"all is well", one + `
			ack 1 inserted 1 0
			in 1 1 1 false
			kill
			in 1 1 1 false
			out 1 1 1 ok
			end 1 completed
			done 1 completed`, ""},
		{"a handler is entered after the job was told to be completed", one + `
			in 1 1 1 false
			out 1 1 1 ok
			end 1 completed
			kill
			in 1 1 1 false`, "entered after it was told to be completed"},
		{"a handler is entered after the job was cancelled", one + `
			ack 1 inserted 1 0
			cancel 1
			cancelled 1
			kill
			in 1 1 1 false`, "entered after it was told to be cancelled"},
		{"a cancelled job that was revived may run", one + `
			ack 1 inserted 1 0
			cancel 1
			end 1 cancelled
			cancelled 1
			revive 1
			in 1 1 1 false
			revived 1
			out 1 1 1 ok
			end 1 completed`, ""},
		{"a completed job is revived", one + `
			in 1 1 1 false
			out 1 1 1 ok
			end 1 completed
			revive 1
			revived 1`, "revived after it was told to be completed"},
		{"it completes without having run", one + `
			ack 1 inserted 1 0
			end 1 completed`, "no attempt has succeeded"},
		{"it ends twice", keyed + `
			ack 1 inserted 1 0
			end 1 superseded
			end 1 superseded`, "ended twice"},
		{"an ID is used again", one + `
			ack 1 inserted 1 0
			kill
			` + two + `
			ack 2 inserted 1 0`, "also that of submission 1"},
		{"one submission becomes two jobs", one + `
			ack 1 inserted 1 0
			in 2 1 1 false`, "two jobs"},
		{"what was refused runs", one + `
			nak 1 no deadline exceeded
			in 1 1 1 false`, "though its submission was refused"},
		{"of what nobody knows it may run", one + `
			nak 1 unknown deadline exceeded
			in 1 1 1 false`, ""},
		{"an attempt is made again that was used up", `sub {"n":1,"type":"other","fate":"error","fails":2,"retries":3}
			in 1 1 1 false
			out 1 1 1 error
			again 1 1
			kill
			in 1 1 1 false`, "attempt 1 is made again"},
		{"a crash uses up an attempt", one + `
			in 1 1 1 false
			kill
			in 1 1 2 false`, "no attempt 1 was used up"},
		{"a group has more than its limit", `sub {"n":1,"type":"other","group":"one"}
			sub {"n":2,"type":"other","group":"one"}
			in 1 1 1 false
			in 2 2 1 false`, "2 of group \"one\""},
		{"a domain has more than its limit", `sub {"n":1,"type":"narrow/plain"}
			sub {"n":2,"type":"narrow/plain"}
			sub {"n":3,"type":"narrow/plain"}
			in 1 1 1 false
			in 2 2 1 false
			in 3 3 1 false`, "3 of its domain"},
		{"two of one key run", keyed + `
			` + two + `
			in 1 1 1 false
			in 2 2 1 false`, "2 of its key"},
		{"a crash ends what runs", keyed + `
			` + two + `
			in 1 1 1 false
			kill
			in 2 2 1 false`, ""},
		{"more run than there are workers", `sub {"n":1,"type":"other"}
			sub {"n":2,"type":"other"}
			sub {"n":3,"type":"other"}
			sub {"n":4,"type":"other"}
			in 1 1 1 false
			in 2 2 1 false
			in 3 3 1 false
			in 4 4 1 false`, "4 jobs run at a time"},
		{"it runs before its time", one + `
			in 1 1 1 true`, "before its time"},
		{"the job that a duplicate was sent to had run before", keyed + `
			ack 1 inserted 1 0
			in 1 1 1 false
			out 1 1 1 ok
			` + two + `
			ack 2 duplicate 1 0
			end 1 completed`, "was not entered after it was told to do"},
		{"a superseded job runs in the next life", keyed + `
			ack 1 inserted 1 0
			` + two + `
			ack 2 replaced 2 1
			kill
			in 1 1 1 false`, "after another had taken its place"},
		{"it is cancelled, and nobody wanted that", one + `
			ack 1 inserted 1 0
			end 1 cancelled`, "nobody has asked"},
		{"it expires without a limit", one + `
			ack 1 inserted 1 0
			end 1 expired`, "all the time"},
		{"it is a dead letter with retries left", `sub {"n":1,"type":"other","fate":"error","fails":1,"retries":3}
			in 1 1 1 false
			out 1 1 1 error
			end 1 dead_letter`, "is a dead letter"},
		{"the victim has found something", `fault job 1: its payload is not what was submitted`, "its payload"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWitness()
			w.workers = 3
			for line := range strings.Lines(test.story) {
				if line = strings.TrimSpace(line); line == "kill" {
					w.died()
				} else {
					w.hear(line)
				}
			}
			faults := strings.Join(w.faults, "\n")
			if (test.want == "") != (faults == "") || !strings.Contains(faults, test.want) {
				t.Errorf("want %q, and found:\n%s", test.want, faults)
			}
		})
	}
}
