//go:build linux

// Command bench distributes files in small networks of namespaces, with shoal
// and, side by side, with the other tools that are installed, and compares both
// with the least time that any scheme would need:
//
//	go run ./internal/lab/bench -scenario lan16,hetero12 -runs 3 -json bench.json -svg docs
//	go run ./internal/lab/bench -list
//
// It needs root and Linux. docs/benchmarks.md says what is measured and how the
// tools are set up; package lab, what the networks are like.
//
// Every tool has a driver, which starts its processes and gives the orders; the
// rest is the same for all. A node has a content when the tool's own word for it
// is there: a file that the tool's completion hook makes, or the content itself
// where the tool puts it in place once it is complete. After the run every
// copy is compared with the original; where one differs, the run does not count.
//
// What runs belongs to a lab, and ends with it: on return, on Ctrl-C, and when
// this process is killed.
package main
