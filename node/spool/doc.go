// Package spool keeps uploads on disk, so that sending is independent of the
// program that produced the data, and of this process (R1, R2).
//
// A spool is a folder. Of an upload with the task ID T it holds
//
//	T.json     what is to be done with it and how far it is: an [Item]
//	T.torrent  the digests of all chunks (BEP 52), once they are known
//	T.data/    the data under its own name, unless the item refers to it where it is
//	T.cancel   an order to give it up
//	T.lock     held (flock) by the process that works on it
//
// and runner.lock, held by the one [Spool.Run] that there may be.
//
// Each file is written aside, synced and renamed, and is checked when it is
// read: what a crash or somebody else leaves behind is passed over or refused,
// never believed. An item is there from the moment that its T.json is. What was hashed
// is not hashed again; what a server has is asked from it, so that nothing that
// is written here can be ahead of it.
//
// Data is taken in by a reflink where the file system has them, else by a hard link, else by
// a copy. A hard link survives that the file is deleted or replaced; that it is
// written to in place shows in its time or its digests, and fails the upload
// with [shoal.ErrChanged].
package spool
