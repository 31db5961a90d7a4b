package lan

import (
	"time"

	"github.com/shoal-cdn/shoal"
)

// ask sends a query for a content.
func (e *engine) ask(id shoal.ContentID, now time.Time) {
	m := e.about(id)
	m.kind = query
	for i := range m.nonce {
		m.nonce[i] = byte(e.rng.Uint32())
	}
	e.asked[m.nonce] = &asking{content: id, until: now.Add(waitAnswers)}
	e.send(outgoing{msg: m}, now)
}

// about is what a message says of a content and of this node.
func (e *engine) about(id shoal.ContentID) message {
	m := message{content: id, endpoints: e.endpoints}
	if have, total, ok := e.holds(id); ok {
		m.have, m.total = uint32(have), uint32(total)
	}
	return m
}

// send drops what would be too much, and what would name no address of this node.
func (e *engine) send(o outgoing, now time.Time) {
	o.msg.from = e.self
	if len(e.endpoints) > 0 && e.sent.AllowN(now, 1) {
		e.out = append(e.out, o)
	}
}
