// Package journal keeps small JSON records on disk, one file each, so that
// what a node has promised outlives a crash.
//
// A Put that returned nil survives kill -9 and power loss: the record is
// written beside its place, synced, renamed over it, and the folder synced.
// A reader sees the old record or the new one, never a part of either.
package journal
