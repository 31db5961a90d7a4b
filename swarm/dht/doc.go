// Package dht finds the nodes of a content while no tracker answers (B4): a
// Kademlia table among the operator's own nodes, on the connections that their
// swarms use too.
//
// [Service] is off while a tracker answers, and costs nothing then. It joins
// once none has answered for a while, by way of the peers that the node knew
// last, and leaves some minutes after a tracker is back. Meanwhile it tells the
// nodes nearest to a content's key that this node has a part in the content, and
// asks them who else has one.
//
// The rules, and why:
//
//   - Protocol /shoal/kad/1.0.0: a table of our own, which meets no other network.
//     There are no values in it, only providers.
//   - The key is the content's ID as a SHA-256 multihash (CIDv1, raw): contents,
//     never pieces, so that a node's cost does not grow with the size of files.
//   - A record lasts 15 minutes and is renewed every 5: nodes come and go, and a
//     tracker will be back. Early ones are renewed sooner, since they went to the
//     few nodes that were known by then.
//   - Nobody answers queries before another node has opened a connection to it: one
//     that cannot be reached would make everybody's lookups wait. Guests never do.
//   - Records are kept in memory, within bounds for each key, each node and in all
//     ([records]): whoever can connect may write here.
package dht
