// Package download brings a file from an HTTP server to disk, once, and hashes
// it on the way, so that a node can seed it (M7: a content made from a URL).
//
// What a caller can rely on:
//
//   - A transfer that breaks goes on where it broke, also after the process
//     was killed, as long as the server says that the file is still the same
//     (RFC 9110 §13.1.5: If-Range with a strong validator). Otherwise it begins
//     anew. Bytes of two versions of a file are never mixed.
//   - What is on disk when a [File] is handed over is durable, and is what its
//     manifest describes. Bytes that a power cut may have cost are fetched again.
//   - Whatever the server does, a fetch ends: it is bounded in bytes, by the
//     space on disk, in redirects, and in the time without progress. The error
//     says why.
//   - Which addresses may be reached is the [http.Client]'s to decide; it is
//     asked for every redirect too. What it refuses with [shoal.ErrInvalid] is
//     not tried again.
//
// # Layout
//
//	parts/<key>.part   what is there of a file; the key is a hash of its URL
//	parts/<key>.json   how much of it is durable, and the server's validator for it
//	<content id>/NAME  a complete file
package download
