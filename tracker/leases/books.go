package leases

import (
	"fmt"
	"time"
)

const (
	// leaseTTL is how long a lease lasts without a word. A node that reads
	// slowly renews it.
	leaseTTL = 10 * time.Second
	// settleTime is how long pieces that were read are kept back until their
	// node has announced them.
	settleTime = 5 * time.Second
)

// grant enters a lease into all books.
func (p *Planner) grant(a *ask, l *lease) {
	l.id = fmt.Sprintf("%016x%016x", p.cfg.Rand.Uint64(), p.cfg.Rand.Uint64())
	l.node, l.book, l.ledger, l.asker = a.r.Node, a.book, a.ledger, a.asker
	l.granted, l.moved, l.bytes = a.now, a.now, a.book.content.bytesOf(l.runs)
	a.asker.begin(a.now, l.bytes)
	p.leases[l.id] = l
	if p.byNode[l.node] == nil {
		p.byNode[l.node] = make(map[*lease]struct{})
	}
	p.byNode[l.node][l] = struct{}{}
	l.book.ends++
	p.endings.add(l, a.now.Add(leaseTTL))
	if l.exclusive {
		l.ledger.take(l.runs)
	}
	if l.account != nil {
		l.account.reserve(l.charge())
	}
	if l.origin != nil {
		l.origin.leases++
		l.origin.rate += l.rate
		l.ledger.rate += l.rate
	}
	if l.upstream.Node != "" {
		s := p.server(l.upstream.Node)
		s.leases++
		s.leased += l.reserved
	}
}

// end takes a lease out of all books but for the time to settle. Told says
// that its node has just said how much it has read; else the pieces that are
// known to be held count as read too, and nobody waits for the node to
// announce more.
func (p *Planner) end(now time.Time, l *lease, told bool) {
	if !told {
		p.look(now, l.book, l.ledger)
		l.use(l.heldBytes())
	}
	delete(p.leases, l.id)
	delete(p.byNode[l.node], l)
	if len(p.byNode[l.node]) == 0 {
		delete(p.byNode, l.node)
	}
	l.asker.end(now, l.used)
	if l.account != nil {
		l.account.settle(l.charge(), l.used)
	}
	if l.origin != nil {
		l.origin.leases--
		l.origin.rate -= l.rate
		l.ledger.rate -= l.rate
	}
	if l.upstream.Node != "" {
		s := p.server(l.upstream.Node)
		s.leases--
		s.leased -= l.reserved
		p.release(l.upstream.Node)
	}
	if p.cfg.Read != nil && l.used > 0 {
		p.cfg.Read(l.upstream, l.used)
	}
	l.over = true
	if told && l.exclusive && l.used > 0 {
		if l.used >= l.bytes {
			l.ledger.arrived(l.runs)
		}
		p.endings.move(l, now.Add(settleTime))
		return
	}
	p.settle(l)
}

// settle gives a lease's pieces back; those that are held by now have come in by it.
func (p *Planner) settle(l *lease) {
	p.endings.remove(l)
	l.book.ends--
	if !l.exclusive {
		return
	}
	for piece := range pieces(l.runs) {
		if l.ledger.held.Has(piece) {
			l.ledger.sent.Add(piece)
		}
	}
	l.ledger.free(l.runs)
}

// expire ends what is due.
func (p *Planner) expire(now time.Time) {
	for l := p.endings.due(now); l != nil; l = p.endings.due(now) {
		if l.over {
			p.look(now, l.book, l.ledger)
			p.settle(l)
		} else {
			p.end(now, l, false)
		}
	}
}
