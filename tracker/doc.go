// Package tracker is the central service: it knows which nodes are alive and
// what they hold, hands out peers, and runs tasks. Package api has its protocol.
//
//	registry   soft state: nodes, holdings, handouts; rebuilt from announces
//	leases     which node may read what from which upstream
//	tasks      what becomes of a distribution, from its nodes' reports
//	db         hard state: nodes, contents, tasks
//
// The first three do no I/O and read no clock; this package wires them to HTTP,
// to the database and to time. A tracker that is killed loses no task that it
// confirmed and no final report that it answered; nodes announce in full to the
// one that comes after it, and swarms go on meanwhile.
package tracker
