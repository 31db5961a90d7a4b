package exchange

import "time"

// Bytes counts payload bytes received. Cross is a part of Origin + Peers;
// Upstream came from outside of the swarm; Wasted came twice or was corrupt,
// and is in no other field.
type Bytes struct{ Origin, Peers, Cross, Upstream, Wasted int64 }

// class says how a source's bytes are counted.
type class struct{ origin, cross, upstream bool }

func (b *Bytes) add(c class, n int) {
	switch {
	case c.upstream:
		b.Upstream += int64(n)
	case c.origin:
		b.Origin += int64(n)
	default:
		b.Peers += int64(n)
	}
	if c.cross {
		b.Cross += int64(n)
	}
}

// waste moves n bytes that were added to Wasted.
func (b *Bytes) waste(c class, n int) {
	b.add(c, -n)
	b.Wasted += int64(n)
}

func (e BlockUnwanted) apply(s *State, _ time.Time) { s.bytes.Wasted += int64(e.Length) }
