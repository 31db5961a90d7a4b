// Package library is all the contents on a node: each is a unit that owns
// the content's place in the store and its part in the swarm.
//
// A unit fetches what is missing, publishes the content once it is complete,
// and then serves it until it is removed or the library closes. Units are
// independent: one that fails stops alone, says why, and keeps what it has,
// so that asking for the content again goes on from there.
//
// Counters of what was received are saved now and then. After a crash they cover at least
// the pieces that are there.
//
// After a restart complete contents are served again. An incomplete one is
// continued when an operator's request for it is on record or somebody calls
// [Library.Want]; otherwise it stays as it is.
package library
