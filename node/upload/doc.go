// Package upload sends a file or folder to an ingest node, as fast as the line
// allows and whatever breaks on the way (M9, R1–R4). The protocol is that of
// node/ingest/api; chunk k is piece k of the content.
//
// # What it promises
//
//   - Nothing is measured that the first byte would have to wait for. While the content is hashed, the speeds of
//     the nearest four candidates are measured at the same time, each over TCP, or QUIC where TCP does not answer;
//     as long as hashing takes, those close to the fastest alone, then the other transport, then the rest. Where
//     hashing ends sooner, the upload begins at the nearest, the others are measured beside its first
//     one or two seconds, and it moves at once to one that was faster meanwhile. An upload of less than 32 MiB goes to
//     the nearest.
//   - What is not clear then, the upload itself shows. Where it is slower than another way may be,
//     that is looked at: beside it where nothing is known, else alone, with the upload held back for a second or two; the
//     other transport to the same server always beside it. The upload moves where all that another server lacks is
//     there clearly sooner than the rest is here. It looks again whenever it has become that slow.
//   - An upload goes to one server. Several connections to it send runs of chunks
//     from one queue, half of them while the others wait for their acknowledgements. How
//     much a request carries follows the speed of its connection, so that the fastest carries
//     the most; a connection that has become slow is relieved of its request when others have
//     nothing to do.
//   - What a server has acknowledged is on its stable storage and not sent again to it. A
//     break costs at most what its requests had under way: after it the server
//     says what it has, and whole chunks of a request that broke count.
//   - When a server goes away, one that shares its store goes on at once. Where there is
//     none, it is waited for as long as sending again what it holds would take; then the upload
//     begins at another.
//   - When this machine gets another address, connections from the old one are given up at once.
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
