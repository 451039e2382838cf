package persist

// pile is a binary heap whose members know where they are in it, so that they can be moved
// and taken out.
type pile[T any] struct {
	members []T
	before  func(a, b T) bool
	at      func(T) *int // -1 outside
}

func (p *pile[T]) first() (m T, ok bool) {
	if len(p.members) == 0 {
		return m, false
	}
	return p.members[0], true
}

// fix puts a member where it belongs, after a change or for the first time.
func (p *pile[T]) fix(m T) {
	i := *p.at(m)
	if i < 0 {
		i = len(p.members)
		p.members = append(p.members, m)
		*p.at(m) = i
	}
	if !p.up(i) {
		p.down(i)
	}
}

// remove takes a member out, if it is in.
func (p *pile[T]) remove(m T) {
	i := *p.at(m)
	if i < 0 {
		return
	}
	*p.at(m) = -1
	last := len(p.members) - 1
	moved := p.members[last]
	var none T
	p.members[last] = none
	p.members = p.members[:last]
	if i == last {
		return
	}
	p.put(i, moved)
	if !p.up(i) {
		p.down(i)
	}
}

func (p *pile[T]) put(i int, m T) {
	p.members[i] = m
	*p.at(m) = i
}

func (p *pile[T]) up(i int) (moved bool) {
	m := p.members[i]
	for i > 0 {
		parent := (i - 1) / 2
		if !p.before(m, p.members[parent]) {
			break
		}
		p.put(i, p.members[parent])
		i, moved = parent, true
	}
	p.put(i, m)
	return moved
}

func (p *pile[T]) down(i int) {
	m := p.members[i]
	for {
		child := 2*i + 1
		if child >= len(p.members) {
			break
		}
		if child+1 < len(p.members) && p.before(p.members[child+1], p.members[child]) {
			child++
		}
		if !p.before(p.members[child], m) {
			break
		}
		p.put(i, p.members[child])
		i = child
	}
	p.put(i, m)
}
