package api

import "time"

// Bounds of the protocol. What exceeds one is refused with kind "invalid".
const (
	MaxAnnounceBytes = 4 << 20   // body of an announce; a node with more to say goes on in a second one, without Full
	MaxTorrentBytes  = 64 << 20  // a .torrent file
	MaxTaskBytes     = 1 << 20   // body of a new task
	MaxLeaseBytes    = 256 << 10 // body of a request for a lease

	MaxWait = 30 * time.Second // for which an answer is held back

	MaxAddrs    = 32     // addresses a node
	MaxGateways = 8      // gateway URLs a node
	MaxHoldings = 20_000 // holdings, and contents gone, an announce
	MaxReports  = 5_000  // sub-task reports an announce
	MaxFaults   = 64     // a report
	MaxNames    = 20_000 // names in a new task
	MaxCarriers = 64     // carriers with limits of their own, a task
	MaxBenched  = 64     // upstreams excluded from a lease
	MaxRuns     = 16     // runs of pieces, a lease
	MaxWanted   = 16     // runs of pieces that readers wait for, a request for a lease
	MaxDials    = 16     // orders to dial, a reply
	MaxPaths    = 64     // paths to other carriers, an announce
	MaxPage     = 1000   // tasks in a list

	maxName    = 63
	maxLabel   = 64
	maxAddr    = 256
	maxURL     = 256
	maxVersion = 64
	maxID      = 64   // sessions and tasks
	maxError   = 1024 // a report's error; what is longer is cut
	maxDest    = 1024
	maxReason  = 256
	maxSeconds = 1e9 // of a node's account of its time
	maxCopies  = 1e6 // of a task's limits
	maxRTT     = 1e6 // ms
)
