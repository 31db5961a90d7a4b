package sim

// manyHaves is how many HAVEs package swarm sends at once, however short they have
// waited. Others leave with what else is sent to the peer, or after as long as the state says.
const manyHaves = 16

// addHave has a piece wait to be told to a peer.
func (l *lane) addHave(n *node, c *conn, piece int) {
	c.haves = append(c.haves, int32(piece))
	if len(c.haves) >= manyHaves {
		l.sendHaves(n, c, true)
		return
	}
	if c.due > 0 {
		return
	}
	c.due = l.now + n.state.HaveWait()
	if n.flushAt == 0 || c.due < n.flushAt {
		n.flushAt = c.due
		n.queue.push(event{at: c.due, kind: flushHaves, to: n.index})
	}
}

// sendHaves sends those that wait for one peer; alone says that nothing else
// goes with them.
func (l *lane) sendHaves(n *node, c *conn, alone bool) {
	if len(c.haves) == 0 {
		return
	}
	e := event{kind: have, from: n.index, to: c.peer, pieces: l.batch(c.haves...)}
	if l.sim.topology.Overhead {
		e.bytes = int32(haveBytes * len(c.haves))
		if alone {
			e.bytes = int32(onLine(haveBytes * len(c.haves)))
		}
	}
	c.haves, c.due = c.haves[:0], 0
	l.depart(n, e)
}

// flushDue sends the HAVEs that have waited long enough.
func (l *lane) flushDue(n *node) {
	if n.flushAt != l.now {
		return // an earlier one came between
	}
	n.flushAt = 0
	for i := range n.conns {
		switch c := &n.conns[i]; {
		case c.due == 0:
		case c.due <= l.now:
			l.sendHaves(n, c, true)
		case n.flushAt == 0 || c.due < n.flushAt:
			n.flushAt = c.due
		}
	}
	if n.flushAt > 0 {
		n.queue.push(event{at: n.flushAt, kind: flushHaves, to: n.index})
	}
}

// batch returns a copy of piece numbers that a message can carry. Whoever
// receives it keeps the buffer to use it again.
func (l *lane) batch(pieces ...int32) *[]int32 {
	n := len(l.batches)
	if n == 0 {
		b := append(make([]int32, 0, manyHaves), pieces...)
		return &b
	}
	b := l.batches[n-1]
	l.batches = l.batches[:n-1]
	*b = append((*b)[:0], pieces...)
	return b
}
