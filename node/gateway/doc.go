// Package gateway serves a node's contents over HTTP/1.1, HTTP/2 and HTTP/3 (B5).
//
//	GET|HEAD /v1/contents/{id}/files/{path...}  a file; of a content that is one file, path is its name
//	GET|HEAD /v1/contents/{id}/files/           the list of files ([Listing])
//	GET|HEAD /v1/contents/{id}/torrent          the manifest as a .torrent file
//
// A file can be read while it arrives, and before any of it is here: a read waits
// for its pieces, which are fetched ahead of others, a few of those that follow
// with them. What is served was verified. Ranges, several at once, and conditions
// work as in RFC 9110, alike for what is here and what is not; a HEAD request waits
// for no data. An ETag is strong and names the bytes, so that every node's
// is the same and a transfer can go on at another.
//
// A transfer that cannot be finished is broken off, so that no client takes a part
// for the whole; where nothing was sent yet it is answered with a problem (RFC
// 9457). Its text says what a stranger may know; the rest is logged.
//
// What clients can make a gateway do is bounded: requests in all and by client,
// connections, ranges in a request, the memory for a request, the time to send a
// request, the time without progress in taking the answer, the time that a read
// waits. [Gateway] is a handler; [Server] puts it on the network.
package gateway
