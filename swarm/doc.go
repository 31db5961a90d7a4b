// Package swarm exchanges contents between nodes (M3).
//
// A [Hub] is a node's part in all of its swarms; [Hub.Join] starts a [Swarm],
// one content's exchange. A swarm connects to the peers it is told of, and to
// those that they name (peer exchange), and fetches what its [Store] lacks while
// it serves what the store has.
//
// Whoever reads a content while it arrives makes pieces urgent and waits for them
// ([Swarm.Want], [Swarm.WaitPieces]). Whoever can get pieces elsewhere claims some
// that are missing, so that no peer is asked for them, and delivers or releases
// them ([Swarm.Claim], [Swarm.Deliver], [Swarm.Release]): swarm and upstreams fill
// one piece map, and nothing is fetched twice.
//
// What a caller can rely on: a piece is written, announced and served only
// after it verified against the manifest; a peer that sent bad data is named in
// [Stats], dropped and not talked to again for a while; memory for pieces that
// are arriving is bounded; and every goroutine has ended when Leave returns.
//
// The package knows no tracker, no disk and no HTTP. Inside, exchange decides
// (a pure state machine), picker chooses pieces, wire is the protocol, transport
// the network; this package moves bytes and events between them:
//
//	conn reader ──events──▶ ┌────────────┐ ──actions──▶ conn writer
//	verifier    ──events──▶ │ Swarm.run  │ ──actions──▶ verifier
//	roster      ◀──dials─── └────────────┘
package swarm
