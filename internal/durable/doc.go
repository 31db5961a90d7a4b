// Package durable writes small files that survive a power cut, each of them all at once: whoever reads one
// sees what was there before or all of what was written, never a part of it.
//
// A file is written under another name in the same folder, synced, given its name, and the folder is synced.
// What a crash may leave is the file by its other name, which the caller chooses so that it can tell it and
// delete it. Those who may write a file at the same time, in other processes too, choose different ones.
package durable
