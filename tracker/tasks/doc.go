// Package tasks is the tracker's task engine (M11, B2): what becomes of a
// distribution to several nodes, from their reports.
//
// A sub-task goes from pending to running to succeeded, failed or cancelled.
// Reports may repeat and arrive late: a state never goes back, and a final
// one stays, but for one exception: where the tracker itself gave a node up as
// unreachable, the node's later word that it succeeded counts. A task's state
// follows from its sub-tasks'.
//
// An order is repeated until the node has reported on it in its current
// session; a cancellation, until the node has reported a final state.
//
// The engine does no I/O and reads no clock. It holds the tasks that aren't
// over and what has not been saved of the others; the rest is in the
// database. A sub-task belongs to a node ID, not to a name, which another
// node may take over.
package tasks
