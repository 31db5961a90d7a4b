package bell

// Bell lets any number of goroutines wait for the next ring. The zero value
// is ready. It is guarded by its owner's mutex; the channels it returns are
// received from without.
type Bell struct {
	next chan struct{} // nil while nobody listens
}

// Listen returns a channel that is closed at the next ring.
func (b *Bell) Listen() <-chan struct{} {
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}

// Ring wakes all who listen.
func (b *Bell) Ring() {
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}
