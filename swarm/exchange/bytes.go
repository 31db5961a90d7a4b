package exchange

import "time"

// Bytes counts payload bytes received. Cross is a part of Origin + Peers;
// Wasted came twice or was corrupt, and is in no other field.
type Bytes struct{ Origin, Peers, Cross, Wasted int64 }

// class says how a peer's bytes are counted.
type class struct{ origin, cross bool }

func (b *Bytes) add(c class, n int) {
	if c.origin {
		b.Origin += int64(n)
	} else {
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
