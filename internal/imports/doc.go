// Package imports has only tests. They hold the module to the parts of its
// design that the compiler does not know of:
//
//   - which package may import which, and which need no network, disk, clock or
//     goroutine (layers_test.go, pure_test.go);
//   - what no package may do: hidden state, waits that cannot be ended
//     (house_test.go).
//
// Every rule has its reason beside it, and the failure prints it. A rule that
// stands in the way of something good is changed there, together with
// docs/architecture.md.
package imports
