// Package manifest brings contents' manifests from the peers that have them, so
// that a content ID is enough to fetch a content (B4, M6).
//
// The protocol is [Protocol], one exchange a stream. The dialler sends the content ID
// (32 bytes); the other side answers with a length (4 bytes, big-endian) and so many
// bytes of a .torrent file (BEP 52), or with the length 0 where it does not have the
// manifest. One that has it, and for 3 s no place to give it, closes the stream without an
// answer: it may be asked again soon. Otherwise both close after the answer.
//
// BEP 9 would bring the info dictionary alone, in blocks of 16 KiB of which each is
// asked for, and BEP 52's hash requests the piece layers, on a stream that cannot
// begin before the number of pieces is known. Here both come at once. What is the
// same is that nothing is believed: the whole is verified against the content ID
// before anybody sees it ([shoal.DecodeManifest]). Web seeds are covered by no hash,
// so none are sent, and those that come are dropped.
//
// A [Server] gives a few manifests at a time, one to a peer, has others wait for a
// moment, and gives none to a peer that does not take it. A [Client] asks a few peers at a time until one has it, waits for
// none of them for long, and leaves alone for a while those that sent something else.
package manifest

// Protocol is the libp2p protocol ID.
const Protocol = "/shoal/manifest/1"
