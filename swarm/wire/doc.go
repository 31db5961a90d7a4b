// Package wire is the peer wire protocol: BitTorrent's messages (BEP 3, 6, 10
// and 52) as they travel on a libp2p stream of the protocol [Protocol].
//
// Each side first sends a BEP 3 handshake of 68 bytes, whose info hash is the
// content ID cut to 20 bytes (BEP 52), then a BEP 10 extended handshake, then
// what it has (bitfield, have-all or have-none), then any messages. A message
// is a 4-byte big-endian length and that many bytes, the first of which is its
// type; length 0 is a keep-alive.
//
// Between shoal peers three rules differ from plain BitTorrent, all of them
// announced by the key "shoal" in the extended handshake:
//
//   - A request may be as long as a piece. It is answered by consecutive piece
//     messages that each carry one block of it, in order; the receiver need not
//     know the sender's block size. A cancel or a reject names the whole request.
//   - A bitfield (or have-all) may come at any time, and replaces what was known:
//     an origin shows its pieces one by one until each has left it once. A
//     peer may request a piece that an origin ("shoal_origin") has not shown it.
//     Where it cancels one that it was shown and has not requested, it declines
//     that piece: the origin shows it to another peer.
//   - Nobody chokes: a peer may request as soon as it knows of a piece. Who opened the stream
//     may do so right behind its own handshake, before it has read the other's: a tracker
//     may have told it that there is everything.
//
// The decoder accepts only messages whose length is exactly right for their
// type, and none longer than [Limits] allows, so that it never allocates more
// than a bitfield or 64 KiB; it never reads a block's payload itself: the caller
// reads it where it belongs.
package wire

// Protocol is the libp2p protocol ID.
const Protocol = "/shoal/swarm/1"
