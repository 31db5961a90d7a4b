// Package tus takes uploads by the tus protocol 1.0 (https://tus.io/protocols/resumable-upload), so that its
// many clients can upload to a node: browsers too. tusd's handler speaks the protocol; this
// package is its data store, in the same folder as all uploads (package uploads):
//
//	.tus/ID/info.json   size, metadata and, of a concatenation, its parts
//	.tus/ID/offset.N    how many bytes are durable, and their checksum: the highest N counts, the last two stay; a link, so that one server makes it
//	.tus/ID/data        the bytes
//	.tus/ID/*.tmp       what a crash has left of a file that was being written: deleted with the folder
//
// An upload counts among all others from its creation on, a part of one too ([uploads.Store.Reserve]); a whole takes the place of
// its parts. A client that sends less than the other protocol asks for is answered 408.
//
// Extensions: creation, creation-with-upload, checksum (sha1, sha256), termination, concatenation. Parts
// are joined by the kernel (copy_file_range), which shares their blocks where the file system can.
//
// When the last byte has come the node makes the manifest, and the upload becomes one
// like any other: GET /v1/uploads/ID tells its content. Metadata: "filename" (or "name") is the
// content's name; "nodes", a comma-separated list, "dest" and "priority" have it distributed. Where that fails or
// the process ends at whatever point, it is done again from there, at the next start or a minute later.
//
// Servers with one folder may take an upload's bytes in turn: each goes on from the durable offset. Their locks hold in one process
// only, so two may be at one upload at a time, as when a client went on at another before the first had noticed.
// Then one finds that the other has made the offset's next version, and answers 409: what one has told its client is durable stays
// so. What both have written is the same, or the file's bytes don't have the checksum of those that the requests up to its end
// have carried: then it becomes no upload; the answer is 409, and the offset is 0 again, unless bytes were sent since. A
// concatenation is deleted instead.
package tus
