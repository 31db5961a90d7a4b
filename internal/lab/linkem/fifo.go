package linkem

// fifo is a queue of packets on a ring that grows and never shrinks, so that
// a steady flow allocates nothing.
type fifo struct {
	ring []packet
	head int
	n    int
}

func (q *fifo) push(p packet) {
	if q.n == len(q.ring) {
		ring := make([]packet, max(64, 2*len(q.ring)))
		k := copy(ring, q.ring[q.head:])
		copy(ring[k:], q.ring[:q.head])
		q.ring, q.head = ring, 0
	}
	q.ring[(q.head+q.n)%len(q.ring)] = p
	q.n++
}

// front is the oldest packet; the queue must not be empty.
func (q *fifo) front() *packet { return &q.ring[q.head] }

func (q *fifo) pop() packet {
	p := q.ring[q.head]
	q.ring[q.head] = packet{}
	q.head = (q.head + 1) % len(q.ring)
	q.n--
	return p
}
