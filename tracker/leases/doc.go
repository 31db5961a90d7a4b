// Package leases decides which node may read what from which upstream (M8,
// B1): what makes a cold start of a thousand nodes cost an origin about one
// copy per carrier, instead of a thousand.
//
// # What a lease is for
//
// A lease names an upstream and pieces. For every content and carrier a ledger
// knows which pieces the carrier's live nodes hold, which are leased, and which
// have come in by a lease. Pieces are chosen in this order:
//
//  1. those nobody in the carrier has and nobody has leased, from the gateway
//     of a node in another carrier, else from an origin;
//  2. those the node lacks, from the gateway of a node in its own carrier,
//     unless it says that only other carriers have what it needs, or that its peers
//     send, and some pieces are with none of them: those will spread;
//  3. those the node lacks and that no lease has brought into the carrier yet,
//     from an origin: it makes up for a slow swarm, at most one copy of it. The
//     same exceptions hold, and under 2 and 3 nodes that begin to fetch together
//     have three seconds to find each other: an uplink that serves gateways serves the
//     swarm the less;
//  4. any the node lacks, from whomever, once it has been refused for 15 s and
//     has no peers: it is cut off from the others.
//
// Where somebody waits for pieces (Want), all of that is tried for these first, and
// without the exceptions under 2 and 3: a lease follows a reader who seeks, within
// the same bounds. Pieces that are leased to another node stay its own: a thousand
// readers of the same front are one lease, and the swarm.
//
// Pieces under 1 and 3 belong to one lease at a time, so that nodes fetch
// different ones and spread them. When a lease ends, its pieces are kept back
// for a few seconds, until their node has announced them; what nobody holds
// then is leased again. A lease is sized to last about four seconds at the rate
// that its node has shown, and never more than a part of what is left, so that
// all who ask have something from the first second to the last.
//
// # What bounds it
//
// Origins are web seeds (BEP 19) and the gateways of origin nodes. What is
// leased from them is charged to an account for each task, content and carrier
// before it is read: an allowance of copies, of which 15 % (at least two
// pieces) make up for what was read and lost with its node. What a lease leaves
// unused comes back when it is given back or expires, and what it took beyond its
// size is charged as well; of one that expired in silence, the pieces that were
// announced count as read. Without a task's word
// an account grows by a copy every 10 minutes, so that a content can be fetched
// again another day. Origins' and carriers' rates are shared out in leases as
// well. Accounts are not kept on disk. Other gateways are bounded by their nodes' uplinks, the nearest with
// the most idle capacity first.
//
// # What the package promises
//
// A [Planner] does no I/O, reads no clock and starts no goroutine; time and
// randomness come in. A request costs the pieces it is given and, where it is
// refused, a look at the content's piece sets. What is kept of a content nobody
// asks about is dropped after 10 minutes, with a task's account after a day, and
// all else ends with its lease. A tracker that restarts leases nothing until
// nodes have announced again.
package leases
