// Package topology merges what nodes see of the lines between carriers into one
// matrix, for people and for planning: nothing is decided by it. It is pure, and
// holds soft state only, which begins anew with the tracker.
//
// A node reports, for each pair of carriers that it sends between, the bytes since
// its start and the RTT, loss and goodput of late. Of a line the matrix tells
//
//   - bytes: the sum over all nodes, which nothing takes back;
//   - RTT, loss and goodput of the last traffic: nodes whose word is at most 15 s
//     older than the newest one used the line at the same time, so that their
//     goodputs add up. After five minutes without traffic they are not known.
//
// Nodes may claim what they like, so carriers, pairs of them and remembered reports
// are bounded; what is beyond the bounds is not taken in until there is room.
package topology
