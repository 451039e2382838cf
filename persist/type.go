package persist

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
)

// Type is a sort of jobs whose input is an In. It is a value of the program, made once by
// [Define], and known to those that submit as well as to those that handle. Who submits needs
// no handler.
type Type[In any] struct {
	def     definition
	keyOf   func(In) string
	groupOf func(In) string
}

// definition is what is known of a type without its input.
type definition struct {
	domain *Domain
	name   string // in its domain
	keyed  bool   // it makes keys of its inputs
	opts   []Option
}

// fullName is the name in the store.
func (d *definition) fullName() string {
	if d.domain == nil || d.domain.Name == "" {
		return d.name
	}
	return d.domain.Name + "/" + d.name
}

// Define returns a type in the default domain. The name is stored with each job, and so
// must not change: see WithAliases. It is checked by the queues that get to know it.
func Define[In any](name string, opts ...Option) *Type[In] {
	return DefineIn[In](nil, name, opts...)
}

// DefineIn returns a type in a domain. Nil is the default domain.
func DefineIn[In any](d *Domain, name string, opts ...Option) *Type[In] {
	return &Type[In]{def: definition{domain: cmp.Or(d, defaultDomain), name: name, opts: opts}}
}

// KeyedBy says what the key of a job is, unless its submission says so. Without it, that is
// the whole payload. An empty key is none: the job has no duplicates. It returns t, and is
// called before t is used.
func (t *Type[In]) KeyedBy(key func(In) string) *Type[In] {
	t.keyOf, t.def.keyed = key, key != nil
	return t
}

// GroupedBy says of which group a job is, unless its submission says so. An empty name is none.
// It returns t, and is called before t is used.
func (t *Type[In]) GroupedBy(group func(In) string) *Type[In] {
	t.groupOf = group
	return t
}

// Name returns the full name of the type.
func (t *Type[In]) Name() string { return t.def.fullName() }

// New returns a submission, for Queue.Submit and Queue.SubmitAll.
func (t *Type[In]) New(in In, opts ...Option) Submission {
	s := Submission{def: &t.def, value: in, opts: opts}
	if t.keyOf != nil {
		s.keyOf = func() string { return t.keyOf(in) }
	}
	if t.groupOf != nil {
		s.groupOf = func() string { return t.groupOf(in) }
	}
	return s
}

// Submit stores a job of the type, see Queue.Submit.
func (t *Type[In]) Submit(ctx context.Context, q *Queue, in In, opts ...Option) (Result, error) {
	return q.Submit(ctx, t.New(in, opts...))
}

// SubmitAll stores jobs of the type, one for each input, see Queue.SubmitAll.
func (t *Type[In]) SubmitAll(ctx context.Context, q *Queue, ins []In, opts ...Option) ([]Result, error) {
	room := takeTray(len(ins))
	for _, in := range ins {
		room.subs = append(room.subs, t.New(in))
	}
	return q.submit(ctx, room, room.subs, opts, true)
}

// Handle returns a handler that gives run the input of each job of the type. What it
// returns steers: nil completes the job; an error has it retried, as its settings say; see
// also actor.Fatal, actor.RetryAfter, [Snooze] and [Cancel]. Nil is also believed of an
// attempt that was told to stop: who stops early returns an error, such as that of its
// context.
//
// A payload that cannot be decoded is a failure for good, and so is one at which the codec, or
// a method of the input, panics.
func (t *Type[In]) Handle(run func(ctx context.Context, in In) error) Handler {
	h := Handler{def: &t.def}
	if run != nil {
		h.run = func(ctx context.Context, c Codec, payload []byte) error {
			var in In
			if err := decode(c, payload, &in); err != nil {
				return actor.Fatal(fmt.Errorf("decode payload: %w", err))
			}
			return run(ctx, in)
		}
	}
	return h
}

// Handler is what runs the jobs of a type.
type Handler struct {
	def *definition
	raw string // the full name, of one without a definition
	run func(ctx context.Context, c Codec, payload []byte) error
}

// HandleRaw returns a handler of all jobs of a type by its full name, that is given their
// payload as it is stored. It is for tools that know nothing of types.
func HandleRaw(typeName string, run func(ctx context.Context, payload []byte) error) Handler {
	h := Handler{raw: typeName}
	if run != nil {
		h.run = func(ctx context.Context, _ Codec, payload []byte) error { return run(ctx, payload) }
	}
	return h
}

// checkName refuses what cannot be the name of a domain, a type or a group.
func checkName(field, name string) error {
	refuse := func(reason string) error {
		return &policy.FieldError{Field: field, Value: name, Reason: reason}
	}
	switch {
	case name == "":
		return refuse("must not be empty")
	case len(name) > MaxName:
		return refuse("is longer than MaxName")
	case !utf8.ValidString(name):
		return refuse("is not valid UTF-8")
	case strings.ContainsRune(name, '/'):
		return refuse("must not contain '/', which separates domain and type")
	case strings.IndexFunc(name, unicode.IsControl) >= 0:
		return refuse("must not contain control characters")
	case strings.TrimSpace(name) != name:
		return refuse("must not begin or end with space")
	}
	return nil
}

// checkFullName refuses what cannot be the full name of a type.
func checkFullName(field, name string) error {
	if domain, rest, there := strings.Cut(name, "/"); there {
		return cmp.Or(checkName(field, domain), checkName(field, rest))
	}
	return checkName(field, name)
}
