// Package peerbook remembers nodes over restarts, so that one that starts while
// no tracker answers has somebody to ask (B4).
//
// A [Book] has at most 256 nodes: those that trackers named, that were connected
// or that were found on the local network, with where they stand and when there was
// last a sign of them. When it is full the carrier with the most entries gives one up,
// so that a node never knows its neighbours only; and what peers brought about fills
// at most half of it, so that none of them can crowd out what trackers said.
//
// The book is a file of JSON, written anew and renamed at most every 10 s. Where
// it cannot be read the node starts with an empty one: it is a memory, nothing that
// anybody relies on. Whatever is in it is checked and bounded as if a peer had sent it.
package peerbook
