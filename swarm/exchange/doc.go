// Package exchange decides what one node does in one content's swarm: what it
// requests from whom, which request it serves next, what it tells its peers.
//
// It is a state machine: [State.Handle] takes an [Event] and the time and
// returns [Action]s. It does no I/O, reads no clock and starts nothing, so that
// a test or a simulator can drive a thousand of them through a day in seconds.
// The same events in the same order give the same actions.
//
// The rules, which all assume that every node is one operator's and so nobody
// chokes anybody:
//
//   - A requester asks for the piece with the fewest holders that it asks nobody
//     else for (picker), and keeps no more outstanding at a source than fills
//     the path to it: when a piece has about one bandwidth-delay product left to
//     come, the next is requested (estimate.go).
//   - A sender works on few requests at a time: first for peers that have much less
//     than others, then on the piece that the fewest have; one that has waited long
//     goes before (upload.go).
//   - An origin shows its pieces one by one, each to one peer, until each has
//     left it once; a peer that does not pass them on is shown no more (inject.go).
//   - What readers wait for goes before all that, in the order in which they will
//     read it; an origin is asked for it also where it has not shown it (priority.go).
//   - Pieces that somebody outside of the swarm has claimed count as requested. An
//     origin that shows one is told that it is declined, and shows it to another
//     (claim.go, decline.go).
//   - Near the end, a request that waits on a slow peer moves to a faster one
//     (endgame.go). A peer that is asked and stays silent is left alone, then
//     dropped and named (timeout.go).
package exchange
