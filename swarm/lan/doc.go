// Package lan finds the peers of a content on the local network, without any
// server (M5, M6).
//
// A node that looks for a content sends a signed query out of each of its
// interfaces: to the IPv4 broadcast address of every network there, to the IPv4
// group 239.255.70.75 (local scope, RFC 2365) and to the IPv6 group
// ff12::7368:6f61:6c (link-local scope, transient, RFC 4291 §2.7), UDP port 7075.
// Three ways, since networks filter one or another. Nodes that hold pieces of it
// answer to the address that the query came from. Everything is sent with a TTL
// or hop limit of 1, so that nothing leaves the link, and what comes from another
// network is dropped unread. Interfaces that come, go, or are made anew are noticed
// within 3 s.
//
// # Format
//
// One message a datagram, at most [MaxMessage] bytes, numbers big-endian:
//
//	offset  length
//	     0       4  "SHLN"
//	     4       1  version, 1
//	     5       1  kind: 1 query, 2 answer, 3 enough
//	     6      16  nonce: the query's, random
//	    22      32  the sender's Ed25519 public key; its peer ID is that key (identity multihash)
//	    54      32  content ID                                    ┐
//	    86       4  pieces that the sender holds                  │
//	    90       4  pieces in all; 0: it does not know            │ not in "enough"
//	    94       1  number of addresses, at most 16               │
//	    95          each: 1 TCP or 2 QUIC v1, 4 or 6, IP, port    ┘
//	            64  Ed25519 signature over "shoal LAN 1\n" and all that precedes it
//
// An answer repeats the nonce of the query, so none can be made beforehand or used
// again; one to a nonce that nobody waits for is dropped before its signature is
// looked at. A query that is repeated by somebody else within a minute is dropped;
// later it tells no more than where a node was to be found, which a dial finds out:
// peers prove who they are before anything else (package transport). Of the
// addresses that a message names, those on this node's own links count.
//
// # Budget
//
// Queries are timed by Trickle (RFC 6206): the first at random within 250 ms, then
// one in intervals that double from 0.5 s to 64 s, and none in an interval in which
// three others asked for the same. Who was heard asking is a peer, too, and
// learns of more by peer exchange. An answer waits at random for up to 100 ms; who
// asked and has eight says so ("enough"), and the others keep theirs. Where 200
// nodes of one link ask for the same content at once, all of their messages
// together are at most 1500 packets in the first minute ([BudgetStart]), and
// 700 in each one after that ([BudgetMinute]), whether nobody, one or all of them hold
// something. Token buckets bound what a node sends, and what it takes from each
// address and in all, whatever the others do.
//
// # BitTorrent
//
// Contents are also announced by local service discovery (BEP 14: groups
// 239.192.152.143 and ff15::efc0:988f, port 6771) under the ID cut to 20 bytes
// (BEP 52), at most once a minute and each once in five. What others announce there
// proves nothing: it makes this node ask earlier, if it looks for that content.
package lan
