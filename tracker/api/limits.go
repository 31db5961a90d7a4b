package api

import "time"

// Bounds of the protocol. What exceeds one is refused with kind "invalid".
const (
	MaxAnnounceBytes = 4 << 20  // body of an announce; a node with more to say goes on in a second one, without Full
	MaxTorrentBytes  = 64 << 20 // a .torrent file
	MaxTaskBytes     = 1 << 20  // body of a new task

	MaxWait = 30 * time.Second // for which an answer is held back

	MaxAddrs    = 32     // addresses a node
	MaxHoldings = 20_000 // holdings, and contents gone, an announce
	MaxReports  = 5_000  // sub-task reports an announce
	MaxFaults   = 64     // a report
	MaxNames    = 20_000 // names in a new task

	maxName    = 63
	maxLabel   = 64
	maxAddr    = 256
	maxURL     = 256
	maxVersion = 64
	maxID      = 64   // sessions and tasks
	maxError   = 1024 // a report's error; what is longer is cut
	maxDest    = 1024
)
