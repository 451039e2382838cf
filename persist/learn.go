package persist

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/taskvisor/taskvisor/policy"
)

// TypeError says what is wrong with a type that a queue is told about.
type TypeError struct {
	// Type is its full name.
	Type string
	Err  error
}

func (e *TypeError) Error() string { return fmt.Sprintf("type %q: %v", e.Type, e.Err) }

// Unwrap returns what is wrong.
func (e *TypeError) Unwrap() error { return e.Err }

// learn takes in what the configuration says.
func (q *Queue) learn() error {
	b := q.book
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queueSet = base().with(ofQueue, q.cfg.Defaults)
	b.workers, b.groupLimit = q.cfg.Workers, q.cfg.GroupLimit
	for name, n := range q.cfg.GroupLimits {
		if n > 0 {
			b.group(name).own = n
		}
	}
	b.state = slices.Clone(q.cfg.State)
	var errs []error
	for i, known := range q.cfg.Types {
		if v := reflect.ValueOf(known); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
			errs = append(errs, &policy.FieldError{Field: fmt.Sprintf("Types[%d]", i), Reason: "must not be nil"})
			continue
		}
		_, err := b.define(known.definition())
		errs = append(errs, err)
	}
	for i := range q.cfg.Handlers {
		errs = append(errs, b.handle(&q.cfg.Handlers[i]))
	}
	return errors.Join(errs...)
}

// kind returns what is known of a type by its full name, or begins to know it.
func (b *book) kind(name string) *kind {
	if k := b.kinds[name]; k != nil {
		return k
	}
	k := &kind{name: name, number: b.kindsMade, domain: b.domain(domainOf(name)), lanes: map[*group]*lane{}}
	if n := len(b.numbers); n > 0 {
		k.number, b.numbers = b.numbers[n-1], b.numbers[:n-1]
	} else {
		b.kindsMade++
	}
	k.adopt(b.domainSet(k.domain))
	k.domain.kinds++
	b.kinds[name] = k
	return k
}

// seen is kind for who has no job of the type yet: nothing is remembered.
func (b *book) seen(name string) *kind {
	if k := b.kinds[name]; k != nil {
		return k
	}
	k := &kind{name: name, set: b.queueSet}
	if d := b.domains[domainOf(name)]; d != nil {
		k.set = b.domainSet(d)
	}
	return k
}

func domainOf(name string) string {
	if d, _, there := strings.Cut(name, "/"); there {
		return d
	}
	return ""
}

// domainSet are the settings of types of a domain of which nothing is known.
func (b *book) domainSet(d *domain) settings {
	if d.def == nil {
		return b.queueSet
	}
	return b.queueSet.with(ofDomain, d.def.Defaults)
}

func (b *book) domain(name string) *domain {
	d := b.domains[name]
	if d == nil {
		d = &domain{name: name, at: -1, lanes: newLanes()}
		b.domains[name] = d
	}
	return d
}

// define takes in the definition of a type. All of it is checked before anything changes.
func (b *book) define(def *definition) (*kind, error) {
	name := def.fullName()
	if k := b.kinds[name]; k != nil && k.def == def {
		return k, nil
	}
	refuse := func(err error) (*kind, error) { return nil, &TypeError{Type: name, Err: err} }
	if err := checkName("Name", def.name); err != nil {
		return refuse(err)
	}
	if k := b.kinds[name]; k != nil && k.def != nil {
		return refuse(errors.New("is defined twice"))
	}
	dom := def.domain
	if dom == nil {
		return refuse(errors.New("was not made by Define"))
	}
	if dom != defaultDomain {
		if err := checkName("Domain", dom.Name); err != nil {
			return refuse(err)
		}
	}
	if dom.Limit < 0 {
		return refuse(&policy.FieldError{Field: "Domain.Limit", Value: dom.Limit, Reason: "must not be negative"})
	}
	if d := b.domains[dom.Name]; d != nil && d.def != nil && d.def != dom {
		return refuse(fmt.Errorf("there are two domains with the name %q", dom.Name))
	}
	set := b.queueSet.with(ofDomain, dom.Defaults).with(ofType, def.opts)
	if err := set.err(); err != nil {
		return refuse(err)
	}
	if def.keyed && set.from[setKey] < ofType {
		set.keying, set.from[setKey] = keyOfType, ofType
	}
	for _, alias := range set.aliases {
		if err := checkFullName("Aliases", alias); err != nil {
			return refuse(err)
		}
		if k := b.kinds[alias]; alias == name || k != nil && k.def != nil {
			return refuse(&policy.FieldError{Field: "Aliases", Value: alias, Reason: "is the name of a type"})
		}
	}
	if d := b.domain(dom.Name); d.def == nil {
		d.def = dom
		if !d.limited {
			d.limit = dom.Limit
		}
		for _, k := range b.kinds {
			if k.domain == d && k.def == nil {
				k.adopt(b.domainSet(d))
			}
		}
		b.domainChanged(d)
	}
	k := b.kind(name)
	k.def = def
	k.adopt(set)
	for _, alias := range set.aliases {
		b.alias(alias, k)
	}
	return k, nil
}

// alias has k known by another name too, with the jobs that are there under it.
func (b *book) alias(name string, k *kind) {
	old := b.kinds[name]
	b.kinds[name] = k
	if old == nil || old == k {
		return
	}
	if k.run == nil && old.run != nil {
		k.run, k.borrowed = old.run, true // until it has a handler of its own
		for _, l := range k.lanes {
			b.laneChanged(l)
		}
	}
	k.told = k.told || old.told // it is about the same jobs
	for at := range b.jobs.All() {
		e := *at
		if e.kind != old {
			continue
		}
		was, when := e.place, e.when
		if was == ready {
			b.move(e, leaving, 0)
		}
		old.jobs--
		k.jobs++
		old.count[phaseOf[e.place]]--
		k.count[phaseOf[e.place]]++
		if was == running || was == claiming {
			old.domain.running--
			k.domain.running++
			b.domainChanged(old.domain)
			b.domainChanged(k.domain)
		}
		e.kind = k
		if was == ready {
			b.move(e, ready, when)
		}
	}
	old.domain.kinds--
	b.tidyDomain(old.domain)
	poke(b.alarm) // some may run now
}

// handle takes in a handler.
func (b *book) handle(h *Handler) error {
	name, k := h.raw, (*kind)(nil)
	switch {
	case h.def != nil:
		name = h.def.fullName()
	case name == "" && h.run == nil:
		return &TypeError{Err: &policy.FieldError{Field: "Handler", Reason: "is none: it is made by Type.Handle or HandleRaw"}}
	}
	if h.run == nil {
		return &TypeError{Type: name, Err: &policy.FieldError{Field: "Handler", Reason: "must not be nil"}}
	}
	if h.def != nil {
		var err error
		if k, err = b.define(h.def); err != nil {
			return err
		}
	} else {
		if err := checkFullName("Handler", name); err != nil {
			return &TypeError{Type: name, Err: err}
		}
		k = b.kind(name)
	}
	if k.run != nil && !k.borrowed {
		return &TypeError{Type: name, Err: errors.New("has a handler already")}
	}
	k.run, k.borrowed = h.run, false
	for _, l := range k.lanes {
		b.laneChanged(l)
	}
	return nil
}

// Handle adds a handler, also while the queue runs: jobs that wait for it go on. The error is
// a *TypeError.
func (q *Queue) Handle(h Handler) error {
	if q.head == nil {
		return q.Validate()
	}
	q.book.mu.Lock()
	err := q.book.handle(&h)
	q.book.mu.Unlock()
	if err == nil {
		q.dispatch()
	}
	return err
}

// Types returns the full names of the types that the queue knows, without aliases.
func (q *Queue) Types() []string {
	b := q.known()
	b.mu.Lock()
	defer b.mu.Unlock()
	names := slices.Collect(maps.Keys(b.kinds))
	names = slices.DeleteFunc(names, func(n string) bool { return b.kinds[n].name != n })
	slices.Sort(names)
	return names
}

// Explain returns the settings that a submission has of a type, with those said of the
// submission itself, if any are given, and tells where each comes from. The error is a
// *TypeError with ErrUnknownType, or says what is wrong with the options.
func (q *Queue) Explain(typeName string, opts ...Option) ([]Setting, error) {
	b := q.known()
	b.mu.Lock()
	k := b.kinds[typeName]
	if k == nil {
		b.mu.Unlock()
		return nil, &TypeError{Type: typeName, Err: ErrUnknownType}
	}
	set := k.set
	b.mu.Unlock()
	set = set.with(ofCall, opts)
	if err := set.err(); err != nil {
		return nil, &TypeError{Type: typeName, Err: err}
	}
	return set.explain(), nil
}
