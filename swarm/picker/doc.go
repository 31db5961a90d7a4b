// Package picker decides which piece to request next: what readers wait for,
// then rarest first among the pieces that nobody has been asked for, ties broken
// at random so that nodes with the same view do not all want the same piece.
//
// It is pure: no I/O, no clock, and its random source is passed in. A Picker
// is not safe for concurrent use.
package picker
