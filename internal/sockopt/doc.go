// Package sockopt sets socket options that package net has no word for.
//
// All of them tune and none is needed for correctness: the caller goes on with
// what the kernel has where one is refused, and says so.
package sockopt
