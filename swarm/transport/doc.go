// Package transport is the libp2p host that a node's swarms run on: TCP with
// TLS and yamux first, QUIC where TCP does not get through.
//
// What it sets, and why:
//
//   - Only these two transports and TLS: noise costs more and serves nobody here.
//     No relays, no hole punching, no address discovery: an operator's nodes have
//     the addresses they announce.
//   - Dials try TCP first. libp2p prefers QUIC, which moves a quarter of the data
//     for the same CPU time. Of a peer's addresses those in networks that this
//     machine is in come first, then the others in the order given, each with a
//     head start of 250 ms.
//   - libp2p's limits on connections per IPv4 address (8, and one new every 5 s)
//     suit a public network. Many nodes may stand behind one address here, so the
//     limits are raised; total memory stays bounded.
//   - A connection with a [Stream] on it is kept however many there are. Of idle ones
//     some 160 stay.
//   - yamux queues up to 64 messages a connection on its own. A [Backlog] tells
//     how much of what was written has not reached the kernel, and the sockets'
//     unsent data is bounded (TCP_NOTSENT_LOWAT), so that a writer can wait and a
//     request never queues behind megabytes of data.
package transport
