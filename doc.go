// Package shoal holds the nouns of a system that distributes large files to
// edge nodes: what a content is and how it is cut into pieces, who the nodes
// are, where they stand, and which kinds of error there are.
//
// It imports nothing else of this module, so that every other package can
// speak in its terms. Values are immutable unless a type says otherwise.
//
// A content is a file or a folder described by a BEP 52 (BitTorrent v2) info
// dictionary; its [ContentID] is that dictionary's SHA-256. It is cut into
// pieces, numbered from 0; every piece belongs to one file, and only the last
// piece of a file may be shorter than the piece length.
//
// What a content keeps of a file is its path, its bytes and whether it is
// executable. [BuildManifest] makes a [Manifest] from disk, [DecodeManifest]
// from a .torrent file; both go by the same rules, so that what one node
// accepts every node can store.
package shoal
