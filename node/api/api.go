package api

import (
	"github.com/shoal-cdn/shoal"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// Status is a node's picture of itself.
type Status struct {
	Node     tapi.NodeInfo `json:"node"`
	Uptime   float64       `json:"uptime"`  // seconds
	Tracker  string        `json:"tracker"` // URL of the one that answered last; "" while none does
	Contents int           `json:"contents"`
	Peers    int           `json:"peers"` // connected
	Down     shoal.Rate    `json:"down"`  // bytes/s over the last seconds
	Up       shoal.Rate    `json:"up"`
}

// Content is one content on a node.
type Content struct {
	ID          shoal.ContentID `json:"content"`
	Name        string          `json:"name"`
	Size        int64           `json:"size"` // bytes
	Role        tapi.Role       `json:"role"`
	Pieces      int             `json:"pieces"`
	PiecesHeld  int             `json:"pieces_held"`
	PieceLength int             `json:"piece_length"`
	Path        string          `json:"path"` // where it is, or will be, in the node's file system
	Error       string          `json:"error,omitempty"`
	Peers       int             `json:"peers"`
	Sent        int64           `json:"sent"` // payload bytes since the node started
	Bytes       tapi.Bytes      `json:"bytes"`
	Faults      []tapi.Fault    `json:"faults,omitempty"`
}

// Fetch asks a node to get a content.
type Fetch struct {
	Content shoal.ContentID `json:"content"`
	Dest    string          `json:"dest,omitempty"` // relative path below the node's files; "": the content's name
}

// Seed asks a node to hash, register and serve a path in place, or a file that
// it first fetches from a URL. Exactly one of Path and URL is given.
type Seed struct {
	Path string `json:"path,omitempty"` // absolute, in the node's file system

	// URL is an http or https URL (shoal.CheckWebSeed), which becomes the
	// content's first web seed. Name is what the content is called; "" is the
	// last part of the URL's path.
	URL  string `json:"url,omitempty"`
	Name string `json:"name,omitempty"`

	WebSeeds []string `json:"web_seeds,omitempty"` // more of them: shoal.Manifest.WebSeeds
}

// SeedEvent is one line of the answer to a Seed.
type SeedEvent struct {
	Hashed int64   `json:"hashed"`         // bytes so far
	Total  int64   `json:"total"`          // 0: not known yet
	Note   string  `json:"note,omitempty"` // what holds up a fetch
	Done   *Seeded `json:"done,omitempty"`
	Error  string  `json:"error,omitempty"`
	Kind   string  `json:"kind,omitempty"` // of the error, as in a Problem of tracker/api; "": none of those
}

// Seeded describes what a Seed brought in.
type Seeded struct {
	Content     shoal.ContentID `json:"content"`
	Name        string          `json:"name"`
	Size        int64           `json:"size"` // bytes
	Pieces      int             `json:"pieces"`
	PieceLength int             `json:"piece_length"`      // bytes
	Warning     string          `json:"warning,omitempty"` // what will not work as expected
}
