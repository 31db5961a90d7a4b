package lan

import (
	"net/netip"
	"time"

	"github.com/shoal-cdn/shoal/swarm"
)

// admit reports whether a datagram from there is to be looked at.
func (e *engine) admit(from netip.AddrPort, now time.Time) bool {
	ip := from.Addr()
	return e.onLink(ip) && e.receivedOf.allow(ip.WithZone(""), now) && e.received.AllowN(now, 1)
}

// receive takes a message that was admitted. verified looks at its signature; it is
// called only where the message would count.
func (e *engine) receive(m *message, from netip.AddrPort, verified func() bool, now time.Time) {
	if m.from == e.self {
		return // networks give back what was sent to all
	}
	switch m.kind {
	case query:
		e.receiveQuery(m, from, verified, now)
	case answer:
		a := e.asked[m.nonce]
		if a == nil || a.content != m.content || !now.Before(a.until) || !verified() {
			return
		}
		e.notice(m, now)
		if a.answers++; a.answers == enoughAnswers {
			e.send(outgoing{msg: message{kind: enough, nonce: m.nonce}}, now)
		}
	case enough:
		if p, ok := e.pending[m.nonce]; ok && p.asker == m.from && verified() {
			delete(e.pending, m.nonce)
		}
	}
}

func (e *engine) receiveQuery(m *message, from netip.AddrPort, verified func() bool, now time.Time) {
	if until, ok := e.seen[m.nonce]; ok && now.Before(until) || len(e.seen) >= maxSeen || !verified() {
		return
	}
	e.seen[m.nonce] = now.Add(replayTime)
	e.notice(m, now)
	if s := e.searches[m.content]; s != nil {
		s.hear()
	}
	have, _, ok := e.holds(m.content)
	if !ok || have == 0 || len(e.pending) >= maxPending ||
		!e.answeredTo.allow(from.Addr().WithZone(""), now) || !e.answered.allow(m.content, now) {
		return
	}
	wait := time.Duration(e.rng.Int64N(int64(answerWindow)))
	e.pending[m.nonce] = pending{to: from, asker: m.from, content: m.content, at: now.Add(wait)}
}

// notice takes note of a message's sender as a peer of the content.
func (e *engine) notice(m *message, now time.Time) {
	addrs := m.reachable(e.onLink)
	if len(addrs) == 0 {
		return
	}
	id, err := m.from.nodeID()
	if err != nil {
		return
	}
	p := swarm.Peer{ID: id, Addrs: addrs, Seed: m.total > 0 && m.have == m.total}
	e.peers.note(m.content, p, m.have > 0, now)
	if e.searches[m.content] != nil {
		e.found = append(e.found, discovery{m.content, p})
	}
}
