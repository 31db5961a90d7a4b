// Package supply helps a content's swarm out with upstreams (M8): while peers
// are missing, slow, or only across carriers, it reads pieces from other
// nodes' gateways and from web seeds, through package fallback, into the same
// piece map that the swarm fills.
//
//   - When it helps is decided by a pure state, from what the swarm says of its
//     peers and of the bytes that come (policy.go).
//   - What it may read is the tracker's word: a lease names an upstream, pieces,
//     and for how long (B1). It reads nothing without one. Only while no tracker
//     answers at all a rule of its own holds: after a random delay, a small part
//     of the content, slowly, from a web seed (alone.go).
//   - What readers wait for is named to the tracker and read first, also where the
//     tracker had put the node off a moment ago (readers.go, B5).
//   - An upstream that turns out to be no use is named to the tracker, which
//     leases another. Where every one is no use and no peer is left, the fetch
//     fails, naming each with its reason.
//   - Where the node's seconds went is accounted for as it goes (why.go, B2).
package supply
