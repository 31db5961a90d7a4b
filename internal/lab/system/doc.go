// Package system tests the built binary as a whole: trackers and nodes as
// processes on hosts in network namespaces, with shaped links, killed and
// restarted, among peers that lie. It holds only tests, which need root and
// skip with a plain message otherwise.
//
// The tests use small files, so that all of them take about a minute.
// -shoal.size=64MiB runs them with larger ones, and with -v they print the
// figures that docs/benchmarks.md quotes:
//
//	go test -v -run TestLAN16 ./internal/lab/system -shoal.size=64MiB
package system
