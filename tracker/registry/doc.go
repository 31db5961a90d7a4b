// Package registry is the tracker's soft state: which nodes are alive, what
// they hold (M2), and which peers to hand to a node that fetches (M4). All of
// it is rebuilt from announces after a restart.
//
// It does no I/O and reads no clock: time comes in as a parameter. An announce
// costs O(changes + peers returned), whatever the number of nodes: peers are
// found by binary search in lists kept in the order of addresses, one per
// locality ([Registry.Collect] says how they are chosen); joining and
// leaving a swarm moves pointers within such lists. What package leases asks on
// top of that, it pays for itself: [Registry.Coverage].
package registry
