package api

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"

	"github.com/shoal-cdn/shoal"
)

// Place is what the tracker knows of a node's place beyond its Locality. It is
// the tracker's word: what a node announces of it is ignored.
type Place struct {
	Labels shoal.Locality `json:"labels,omitzero"` // the part of Locality that the node gave itself
	Source netip.Addr     `json:"source,omitzero"` // the address that its announces come from
	Homes  []Home         `json:"homes,omitempty"` // the addresses that are elsewhere than Locality
}

// Home is where one address of a node is.
type Home struct {
	Addr netip.Addr `json:"addr"`
	shoal.Locality
}

// Where says where an address is, and how the tracker knows: GET /v1/where.
type Where struct {
	Addr netip.Addr `json:"addr"`
	Node string     `json:"node,omitempty"` // a live node that has the address, by name
	shoal.Locality
	Sources WhereSources `json:"sources"`
	Steps   []WhereStep  `json:"steps"` // every source asked, in this order
}

// WhereSources names for each part of a locality who said so: "labels", "places",
// "geoip", or "" where it is unknown.
type WhereSources struct {
	Carrier string `json:"carrier"`
	Region  string `json:"region"`
	Site    string `json:"site"`
}

// WhereStep is what one source says.
type WhereStep struct {
	Source string       `json:"source"`
	File   string       `json:"file,omitempty"`
	Prefix netip.Prefix `json:"prefix,omitzero"` // the entry that matched
	shoal.Locality
	Used    bool   `json:"used"`              // some of it is in the answer
	Problem string `json:"problem,omitempty"` // why it can't answer, or does from an older file
}

// Where asks where an address is.
func (c *Client) Where(ctx context.Context, addr netip.Addr) (Where, error) {
	return call[Where](ctx, c, request{op: "where is " + addr.String(), method: http.MethodGet, path: "/v1/where?addr=" + url.QueryEscape(addr.String())}, nil)
}
