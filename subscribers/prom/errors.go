package prom

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/taskvisor/taskvisor/policy"
)

// DuplicateError says that two sources report the same series, so that only one of
// them could be shown. It is returned as a pointer.
type DuplicateError struct {
	// Series is what both report, in the notation of Prometheus.
	Series string
	// Label is the first of its labels, which should have told them apart: "task",
	// "supervisor", "controller", "queue" or "subscriber".
	Label string
	// Sources are the places of the two among all that were added, from 1.
	Sources [2]int
}

// Error names the series and says what to do about it.
func (e *DuplicateError) Error() string {
	which := "the roots of their trees"
	switch e.Label {
	case subscriberLabel:
		which = "the subscribers"
	case controllerLabel:
		which = "the controllers"
	case queueLabel:
		which = "the queues"
	}
	return fmt.Sprintf("%s is reported by sources %d and %d: give %s different names, or leave one out if they are the same",
		e.Series, e.Sources[0], e.Sources[1], which)
}

func refuse(field string, value any, reason string) error {
	return &policy.FieldError{Field: field, Value: value, Reason: reason}
}

// notation writes a series as Prometheus does.
func notation(name string, labels, values []string) string {
	pairs := make([]string, min(len(labels), len(values)))
	for i := range pairs {
		pairs[i] = labels[i] + "=" + strconv.Quote(values[i])
	}
	return name + "{" + strings.Join(pairs, ",") + "}"
}
