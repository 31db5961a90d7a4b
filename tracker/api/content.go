package api

import (
	"time"

	"github.com/shoal-cdn/shoal"
)

// Role says what a node does in a content's swarm.
type Role string

const (
	Origin  Role = "origin"  // it brought the content in and seeds it
	Holder  Role = "holder"  // it has all of it
	Fetcher Role = "fetcher" // it wants the rest of it
)

// Holding is how much of one content a node has (M2). An origin and a holder
// have all of it.
type Holding struct {
	Content shoal.ContentID `json:"content"`
	Role    Role            `json:"role"`
	Pieces  shoal.Pieces    `json:"pieces"`
}

// Content is a registered content: GET /v1/contents.
type Content struct {
	ID          shoal.ContentID `json:"content"`
	Name        string          `json:"name"`
	Size        int64           `json:"size"` // bytes
	Files       int             `json:"files"`
	Pieces      int             `json:"pieces"`
	PieceLength int             `json:"piece_length"` // bytes
	Created     time.Time       `json:"created"`
	WebSeeds    []string        `json:"web_seeds,omitempty"` // as in shoal.Manifest, those registered last first
	Origins     int             `json:"origins"`             // live nodes that seed it as its origin
	Holders     int             `json:"holders"`             // live nodes that have all of it, origins among them
	Fetchers    int             `json:"fetchers"`            // live nodes that are fetching it
}
