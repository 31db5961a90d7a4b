// Package ingest takes uploads (M9, R1–R4): it speaks the protocol of package api before a
// store of uploads, hosts what arrives so that other nodes get it at once (B3), and has the
// tracker create the task that an upload asks for (M10).
//
// What a caller can rely on: whatever clients send, memory and the number of requests
// under way are bounded, those that send slowly hold no memory from the others, and each request ends, whatever
// the library is busy with. What was acknowledged is on stable storage; see
// package uploads. Several services, in one process or many, may work on one
// store (L1): each takes note of what the others have within about a second, and of all of it
// before it answers what is missing.
//
// An upload that is described by a torrent is hosted from the first moment, any other from
// its completion on. Hosting follows the upload and is never in its way: where
// it fails the upload goes on, and hosting is tried again.
package ingest
