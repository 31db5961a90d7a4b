// Package upload sends a file or folder to an ingest node, as fast as the line
// allows and whatever breaks on the way (M9, R1–R4). The protocol is that of
// node/ingest/api; chunk k is piece k of the content.
//
// # What it promises
//
//   - The candidates' real speeds are measured over TCP and QUIC while the content
//     is hashed: all paths to the nearest four at the same time, and so on, then those
//     close to the fastest alone. Where the upload would be over sooner, it just goes to the nearest.
//   - An upload goes to one server. Several connections to it send runs of chunks
//     from one queue, half of them while the others wait for their acknowledgements. How much a request carries follows the speed of its
//     connection, so that the fastest carries the most; a connection that
//     has become slow is relieved of its request when others have nothing to do.
//   - What a server has acknowledged is on its stable storage and not sent again to it. A
//     break costs at most what its requests had under way: after it the server
//     says what it has, and whole chunks of a request that broke count.
//   - When a server goes away, one that shares its store goes on at once. Where there is
//     none, it is waited for as long as sending again what it holds would take; then, or where another server has become much faster, the upload begins
//     there.
//   - A chunk that the server found damaged is read and sent again. Where it
//     was damaged before it was sent, or a file was written to since it was
//     hashed, the error is [shoal.ErrChanged].
//
// Memory is bounded by 64 MiB for the requests under way, and what the manifest takes.
//
// # Resuming
//
// All that has to be kept is the task's ID and the manifest: [Run] with the
// same ones goes on with what any server has. Package node/spool keeps them.
package upload
