package persist

import "testing"

func TestOneThatYieldsIsADuplicateOfWhatTheLastOneBecomes(t *testing.T) {
	for _, row := range []struct {
		what string
		how  Duplicates
		last Result
		want Result
	}{
		{"the last is new", Skip, Result{Kind: Inserted, ID: 2}, Result{Kind: Duplicate, ID: 2}},
		{"the last is a duplicate itself", Skip, Result{Kind: Duplicate, ID: 1}, Result{Kind: Duplicate, ID: 1}},
		{"the last has its priority raised", Supersede, Result{Kind: Upgraded, ID: 1}, Result{Kind: Duplicate, ID: 1}},
		{"the last runs after another", Skip, Result{Kind: Requeued, ID: 2, Other: 1}, Result{Kind: Duplicate, ID: 2}},
		{"the last takes the place of another", Supersede, Result{Kind: Replaced, ID: 2, Other: 1}, Result{Kind: Duplicate, ID: 2}},
		{"the last is rejected", Skip, Result{Kind: Rejected, Other: 1}, Result{Kind: Duplicate, ID: 1}},
		{"the last is rejected, and it would supersede", Supersede, Result{Kind: Rejected, Other: 1}, Result{Kind: Duplicate, ID: 1}},
		{"both are to be rejected", Reject, Result{Kind: Rejected, Other: 1}, Result{Kind: Rejected, Other: 1}},
		{"it would be rejected, and the last is new", Reject, Result{Kind: Inserted, ID: 2}, Result{Kind: Duplicate, ID: 2}},
		{"the last was not stored", Skip, Result{}, Result{}},
		{"the last was not stored, and it would be rejected", Reject, Result{}, Result{}},
	} {
		o := outranked{how: row.how}
		if got := o.result(row.last); got != row.want {
			t.Errorf("%s: %+v, want %+v", row.what, got, row.want)
		}
	}
}
