// Package sim predicts how a content spreads over a network. It drives the real
// decisions, one [exchange.State] a node, in virtual time: no sockets, no
// clock. The same topology with the same seed gives the same result to the bit,
// on any number of cores.
//
// What it models, each in the file named:
//
//   - Every node's uplink and downlink carry one message after the other in
//     the order they were handed out, at the line's rate (link.go, message.go).
//     Between two carriers there may be a line that all their nodes share.
//   - A message takes the one-way delay of its path, by how near the two
//     nodes are (paths.go).
//   - Data takes its share of Ethernet, IP and TCP headers, and, unless the
//     topology says otherwise, control messages, TLS records and TCP
//     acknowledgements take their bytes too (wire.go).
//   - HAVEs wait for company as package swarm lets them (haves.go).
//   - Who is connected to whom is what the tracker's handouts lead to (graph.go).
//   - Nodes join, leave, send bad data or never answer.
//
// What it does not model: CPU and disks, loss and congestion control (a link is
// shared perfectly and a path is full at once), the tracker's own delays, and
// peers that are dropped coming back. docs/simulator.md says what that means
// for its predictions.
//
// Nodes act on each other through links only, so each may go ahead of the
// others by the shortest delay between two (sim.go); that is what lets all cores
// work on one simulation (parallel.go).
package sim
