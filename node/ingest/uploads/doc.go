// Package uploads keeps what is being uploaded, in a folder that several servers
// may share (L1), over NFS too: it takes no locks, and relies only on
// that creating a link is exclusive, that a rename is atomic, and that a file opened
// after another process has synced its writes shows them (close-to-open).
//
// # Layout
//
//	TASK/description.json     what is uploaded; a link, so that the first writer wins
//	TASK/ID.torrent           the manifest, where there is one
//	TASK/data/…               the data, sparse, under the final file names
//	TASK/have.S.N.log         chunks that are durable: appended by the process whose session is S, by nobody else
//	TASK/complete.json        all of it is here and verified; a link
//	.gone-…                   an upload that is being deleted
//	.scratch/                 files without names, for what is not verified yet
//	.reserved/TASK            room for an upload that has no description yet, by whatever protocol it comes
//
// What is here is the union of all logs. Two processes that write one chunk write the same
// bytes, as both have verified them; where there is nothing to verify them against, the logs
// have the digests of what was written, and completing finds out.
//
// Log: the 8 bytes "shoalup1", then records of 44 bytes: the number of a chunk, 4 bytes; an epoch, 4 bytes,
// whose highest bit says that the chunk is lost; the SHA-256 of what was written, or zeros where the description has it; and the CRC-32C of the
// description's SHA-256 and the bytes before. Numbers are big-endian. A chunk is there if one
// that was written has a higher epoch than any that was lost, so that the order in which logs are read
// does not matter. The first record that does not decode ends a log for its reader, who looks at it again later.
//
// # What a caller can rely on
//
// Limits hold for all servers of a store together, without a lock: who begins an upload first writes what
// room it needs and then counts what there is. An upload that is complete holds no file open.
//
// What Sync has returned for survives a power cut: data is synced, then logged, then the log
// is synced. Concurrent requests share these. After a kill -9 at any point at most chunks are lost
// that no Sync has returned for. All paths go through an [os.Root], and names are those of a manifest.
package uploads
