// Package version says which build of shoal this is. All of it comes from
// what the Go toolchain recorded in the binary; nothing is set by linker flags.
package version
