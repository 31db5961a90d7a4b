// Package node is the daemon on an edge server: it fetches contents from its
// peers and serves them (M1–M3), carries out its parts of tasks (M11), and
// brings in contents of its own.
//
// [Node.Run] is the wiring; the parts are packages: library (the contents),
// subtask (orders and their outcome), announce (the talk with the tracker),
// store (pieces on disk) and journal (small records on disk). [Get] is a node
// for the time of one fetch.
//
// # Layout of the data folder
//
//	identity.key   the node's private key; its public half is the node's ID
//	tasks/         sub-tasks, one JSON file each
//	contents/      requests, counters and failures, one JSON file a content
//	state/         package store's; its lock keeps a second node out
//	partial/       contents while they arrive
//	files/         complete contents; what a web server may serve
package node
