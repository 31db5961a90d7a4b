// Package announce keeps the tracker's picture of a node up to date and
// brings home what the tracker has for it (M2, M11).
//
// A ledger, which is pure, knows what the tracker has acknowledged and works
// out what it must still be told. The [Announcer] is the one loop that talks:
// news at once, progress at most once a second, and while there is nothing to
// tell, one announce that the tracker holds open, so that orders and peers
// arrive without polling. Whatever was sent is sent again until a reply to it
// came. Losing the tracker stops nothing but the telling.
package announce
