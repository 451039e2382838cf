package persist

// Domain is what types of one concern have in common. It is a value of the program, made
// once, and not changed after a queue has got to know it.
type Domain struct {
	// Name is the first part of the names of its types. It is not empty, and without '/'.
	Name string
	// Defaults are the settings of its types, where these say nothing.
	Defaults []Option
	// Limit is how many of its jobs run at a time, next to all other limits. Zero means
	// that there is no limit. Queue.SetDomainLimit changes it.
	Limit int
	// State are values that handlers of the domain find by their types, see [StateOf].
	State []any
}

// defaultDomain is that of types without one.
var defaultDomain = &Domain{}
