// Package api is the protocol by which a content is uploaded to an ingest node:
// the messages and the bounds they keep. It is HTTP/1.1, 2 or 3 on the node's
// gateway, so that any client can speak it.
//
//	POST   /v1/uploads                          Description → Status; 201, or 200 where it is known: that is resuming
//	GET    /v1/uploads                          []Status without Missing, newest first
//	GET    /v1/uploads/{task}                   Status
//	PUT    /v1/uploads/{task}/chunks/{n}        the bytes of chunk n → Ack
//	PUT    /v1/uploads/{task}/chunks/{n}-{m}    the bytes of chunks n to m, back to back → Ack
//	POST   /v1/uploads/{task}/complete          → Status; 202 while the server is still reading, see below
//	DELETE /v1/uploads/{task}                   204; cancels it, or forgets a complete one; its data is deleted
//
// # Chunks
//
// A client chooses a task ID (the form of tracker/api's) and describes what it is going to send
// (R1). A chunk has at least [MinChunkBytes], unless it is all there is. Chunks are numbered from 0 and may be sent in any order, over any number of
// connections and to any server that shares the store (L1). There are two kinds of uploads:
//
//   - With Description.Torrent, chunk k is piece k of the content: ChunkSize is the piece
//     length, pieces never reach over the end of a file, and so folders can be uploaded.
//     The content ID is known from the start, each piece is checked against its hash, and
//     goes on to other nodes while the rest is still on its way (B3).
//   - Without, the upload is one file and chunk k is its bytes from k·ChunkSize on.
//     Description.Digests, where present, has the SHA-256 of each chunk. The server
//     makes the content's manifest when the upload is completed, and the content
//     ID is in the Status from then on.
//
// A PUT must carry Content-Digest (RFC 9530) with the SHA-256 of its body: the header field
// "Content-Digest: sha-256=:BASE64:". Every other algorithm is refused. Its body has at most
// [MaxRequestBytes]; where there is neither torrent nor digests, at most [MaxUndigestedBytes],
// as nothing of such a body can be kept before all of it is here.
//
// Each chunk is verified when its last byte has come, and kept even if the request breaks
// later. The Ack comes when all of them are on stable storage (R4). Sending
// a chunk that is there does no harm. A chunk that does not verify is not stored: the answer is a [Problem] of kind
// "corrupt", status 422, with the refused chunks; the others of the request are kept.
// Where it is only the Content-Digest that does not fit and each chunk does, Refused is
// empty and the chunks are kept.
//
// # Resuming
//
// After a break, at either end, the client sends the same Description again, to any of the servers
// that share the store. The answer says what is here (R3): Next is the lowest
// chunk that is missing, Missing what lies behind it. The same task with another
// Description is refused with 409: a file that has changed needs a new task.
//
// # Completing
//
// POST …/complete is the end notice. The server reads what it has not verified itself, makes
// everything durable, and answers 200 with a Status whose State is [Complete] and
// whose Content is set. While it is still reading after [CompleteWait] it answers
// 202: the client repeats the request. Where chunks are missing, or are no longer what they were, the
// answer is a [Problem] with status 409, Next and Missing: the client sends those
// and completes again. Repeating it does no harm.
//
// # Limits
//
// An upload that makes no progress for a time that Status.Expires tells is deleted. A server sends 413 for what
// is larger than it takes, 429 while too many uploads are open, 507 while its disk is
// full or all quota is used, and 503 while it has too much to do; the last three with Retry-After, and what it has
// acknowledged stays. Quotas count what comes by tus too. A body must keep coming: [MinBodyBytes] in [MinBodyTime] that the
// server waits for it, else the answer is 408.
//
// # Errors
//
// An error is an application/problem+json body: [Problem].
package api
