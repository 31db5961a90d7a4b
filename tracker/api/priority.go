package api

import (
	"fmt"
	"strconv"
)

// Priority says which of two tasks a node begins first, where it has more of them
// than it carries out at once: the higher one; of equals, the older one. It is an order and
// nothing else: 2 is before 1 as 10 is before 1, what has begun goes on, and
// transfers under way share the links evenly. So a task may wait for as long as higher ones
// keep coming; its priority can be changed meanwhile ([TaskChange]). In JSON it is the number. *Priority is a flag value of the
// command line (pflag.Value).
type Priority int

// The range of a task's priority.
const (
	MinPriority    Priority = -10
	NormalPriority Priority = 0
	MaxPriority    Priority = 10
)

// ParsePriority reads a priority within its range. The error is of kind [shoal.ErrInvalid].
func ParsePriority(s string) (Priority, error) {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		return 0, invalid(wantPriority, quote(s))
	}
	p := Priority(n)
	return p, p.Validate()
}

// Validate checks that a task can have the priority. The error is of kind
// [shoal.ErrInvalid].
func (p Priority) Validate() error {
	if p < MinPriority || p > MaxPriority {
		return invalid(wantPriority, p)
	}
	return nil
}

const wantPriority = "priority %s: want a whole number from -10 to 10; 0 is normal, higher ones go first"

// UnmarshalJSON implements [json.Unmarshaler]. It leaves the range to Validate: a node
// that is given an order from beyond it only has to compare. The error has no kind, like
// others of package json.
func (p *Priority) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	n, err := strconv.ParseInt(string(b), 10, 32)
	if err != nil {
		return fmt.Errorf(wantPriority, cut(string(b), 80))
	}
	*p = Priority(n)
	return nil
}

// Set implements pflag.Value.
func (p *Priority) Set(s string) (err error) {
	*p, err = ParsePriority(s)
	return err
}

// Type implements pflag.Value.
func (p *Priority) Type() string { return "priority" }

func (p Priority) String() string { return strconv.Itoa(int(p)) }
