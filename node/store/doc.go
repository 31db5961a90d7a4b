// Package store keeps the data of contents and knows which of their pieces
// are verified and durable (M2).
//
// [Disk] is the implementation for production; package memstore has one for
// tests, and package storetest the conformance suite both pass.
//
// # What a caller can rely on
//
// A piece is readable once WritePiece has returned. After a kill -9 every such
// piece is still there. After a power failure those written since the last
// sync may be gone, but none is claimed that is not on disk: when in doubt the
// store hashes the data again rather than believe a file of its own.
//
// A content becomes visible below the files folder in one rename, complete and
// with its final modes, so a web server on that folder never sees half a file.
//
// # Layout
//
//	state/<id>.torrent   the manifest
//	state/<id>.json      where the data is, and the files' times when it was complete
//	state/<id>.have      bitmap of durable pieces: written anew, synced, renamed
//	state/<id>.journal   pieces written since that bitmap was last read: appended, not synced
//	state/lock           held by the process that has the store open
//	partial/<id>/…       data while it arrives, under the final file names
//	files/<dest>         published data
//
// Bitmap: the 8 bytes "shoalhv1"; the number of pieces, 4 bytes; the bitfield
// of BEP 3; SHA-256 of the content ID and all before. Journal: records of 8
// bytes, a piece number and the CRC-32C of the content ID and that number.
// Numbers are big-endian. A journal's pieces count only after their data has
// been hashed; a bitmap or journal that does not decode causes the data it
// would have vouched for to be hashed.
//
// All paths go through one [os.Root] and those it opens of folders below it, but
// for contents seeded in place, each of which has an [os.Root] of its own.
// Symbolic links below the store are refused as data files and as parents of a
// destination.
package store
