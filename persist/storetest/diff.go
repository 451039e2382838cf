package storetest

import (
	"bytes"
	"fmt"
	"reflect"
	"time"

	"github.com/taskvisor/taskvisor/persist"
)

// diffJobs says where two listings differ, or nothing.
func diffJobs(want, got []*persist.Job) string {
	if len(want) != len(got) {
		return fmt.Sprintf("jobs %v, want %v", ids(got), ids(want))
	}
	for i := range want {
		if d := diff(want[i], got[i]); d != "" {
			return fmt.Sprintf("job %d, number %d of the list: %s", want[i].ID, i, d)
		}
	}
	return ""
}

func ids(jobs []*persist.Job) []persist.ID {
	all := make([]persist.ID, len(jobs))
	for i, j := range jobs {
		all[i] = j.ID
	}
	return all
}

// diff says where two values differ, or nothing. Times are the same when they are the same
// instant, and a slice that is nil is one that is empty.
func diff(want, got any) string {
	return differ("", reflect.ValueOf(want), reflect.ValueOf(got))
}

func differ(at string, want, got reflect.Value) string {
	switch w := want.Interface().(type) {
	case time.Time:
		return differTimes(at, w, got.Interface().(time.Time))
	case []byte:
		if g := got.Bytes(); !bytes.Equal(w, g) {
			return fmt.Sprintf("%s is %s, want %s", at, brief(g), brief(w))
		}
		return ""
	}

	switch want.Kind() {
	case reflect.Pointer:
		if want.IsNil() || got.IsNil() {
			if want.IsNil() != got.IsNil() {
				return fmt.Sprintf("%s is %+v, want %+v", at, got, want)
			}
			return ""
		}
		return differ(at, want.Elem(), got.Elem())

	case reflect.Struct:
		for i := range want.NumField() {
			if d := differ(at+"."+want.Type().Field(i).Name, want.Field(i), got.Field(i)); d != "" {
				return d
			}
		}
		return ""

	case reflect.Slice:
		if want.Len() != got.Len() {
			return fmt.Sprintf("%s has %d elements, want %d", at, got.Len(), want.Len())
		}
		for i := range want.Len() {
			if d := differ(fmt.Sprintf("%s[%d]", at, i), want.Index(i), got.Index(i)); d != "" {
				return d
			}
		}
		return ""

	case reflect.Func: // of which two cannot be compared, and a stored one is nil
		if !got.IsNil() {
			return at + " is not nil"
		}
		return ""
	}
	if want.Interface() != got.Interface() {
		return fmt.Sprintf("%s is %s, want %s", at, value(got), value(want))
	}
	return ""
}

func value(v reflect.Value) string {
	if v.Kind() == reflect.String {
		return fmt.Sprintf("%.200q", v)
	}
	return fmt.Sprint(v)
}

// differTimes finds a reading of a monotonic clock, too: it means nothing to whoever opens
// the store next.
func differTimes(at string, want, got time.Time) string {
	if !want.Equal(got) {
		return fmt.Sprintf("%s is %v, want %v", at, got, want)
	}
	if got != got.Round(0) {
		return fmt.Sprintf("%s is %v, with the reading of a monotonic clock", at, got)
	}
	return ""
}

// brief shows bytes, of many only the first.
func brief(b []byte) string {
	if len(b) > 32 {
		return fmt.Sprintf("%x… (%d bytes)", b[:32], len(b))
	}
	return fmt.Sprintf("%x", b)
}
