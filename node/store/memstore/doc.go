// Package memstore is a [store.Store] in memory, for tests of what uses one.
// It follows the same contracts, but for what only a disk can do: nothing
// outlives it, Sync has nothing to do, and Publish moves nothing, so that a
// destination is only ever taken by another content. Contents that are seeded
// are read from their files.
package memstore
