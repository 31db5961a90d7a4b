// Package storetest is the conformance suite of [store.Store]: every
// implementation runs it. It also makes small contents for the tests of
// packages that use a store.
package storetest
