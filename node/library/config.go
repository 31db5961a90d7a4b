package library

import (
	"context"
	"log/slog"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/store"
	"github.com/shoal-cdn/shoal/swarm"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// Session is a content's part in its swarm: a [swarm.Swarm].
type Session interface {
	AddPeers([]swarm.Peer)
	// Want makes pieces urgent until release is called.
	Want(first, count int) (release func())
	// WaitPieces waits until pieces can be read. An error that is neither ctx's nor
	// of kind [shoal.ErrInvalid] says that the session is over.
	WaitPieces(ctx context.Context, first, count int) error
	Connect(swarm.Peer) // dials a peer that cannot dial us
	Stats() swarm.Stats
	Why() tapi.Why             // where the time since it was joined went
	Upstreams() []tapi.Fault   // what servers outside of the swarm did wrong since then
	Complete() <-chan struct{} // closed once all pieces are stored
	Done() <-chan struct{}     // closed when it ended
	Err() error                // after Done: why; nil after Leave
	Leave()                    // ends it and waits; more than once is no error
}

// Torrents is where manifests come from and go to: a tracker's client.
type Torrents interface {
	Torrent(ctx context.Context, id shoal.ContentID) ([]byte, error)
	PutContent(ctx context.Context, torrent []byte) (tapi.Content, error)
}

// Config is what a library works with; all fields are required, but for those that
// say what nil means.
type Config struct {
	Store    store.Store
	Torrents Torrents // nil without a tracker
	// Peers asks a tracker who has a content that a reader wants and that is not
	// here; nil: there is none. Where it fails there are no peers.
	Peers func(ctx context.Context, id shoal.ContentID) []swarm.Peer
	// FromPeers gets a manifest from peers, however long that takes; it returns when
	// ctx ends. nil: there is no such way.
	FromPeers func(context.Context, shoal.ContentID) (*shoal.Manifest, error)
	Join      func(m *shoal.Manifest, st swarm.Store, origin bool) (Session, error)
	// Arrive is Join for a content that is hosted while it arrives. nil where none is.
	Arrive  func(m *shoal.Manifest, st swarm.Store) (ArrivingSession, error)
	Records string // folder for what the store does not keep: requests, counters, failures
	Files   string // absolute path of the store's files folder
	Log     *slog.Logger
	// Pull says whether a content may be fetched because somebody reads it; an error
	// says why not. It is called with the library locked, and must not call it.
	Pull func(Pull) error
	// Changed is told that there may be something to announce. It must not
	// block or call the library.
	Changed func()
	// Ended is told that a fetch completed (nil) or failed; not that the
	// library closed or the content was removed. It is called from the unit's
	// goroutine and may call the library, but for what stops a unit: Want,
	// Drop, Remove, Seed and Close.
	Ended func(id shoal.ContentID, err error)
}
