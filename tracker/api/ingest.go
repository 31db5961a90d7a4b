package api

import (
	"context"
	"net/http"
	"net/url"

	"github.com/shoal-cdn/shoal"
)

// IngestServer is a node that takes uploads: GET /v1/ingest.
type IngestServer struct {
	ID      shoal.NodeID `json:"id"`
	Name    string       `json:"name"`
	Gateway []string     `json:"gateway"`        // base URLs at which it takes them, those with TLS first; as in [NodeInfo]
	Down    shoal.Rate   `json:"down,omitempty"` // its downlink, bytes/s; 0: unknown
	shoal.Locality
}

// MaxIngest bounds the list of ingest servers.
const MaxIngest = 64

// IngestServers returns the live nodes that take uploads, the nearest to place
// first (M9). What place leaves empty is completed by where the request comes from.
func (c *Client) IngestServers(ctx context.Context, place shoal.Locality) ([]IngestServer, error) {
	q := url.Values{}
	for key, v := range map[string]string{"carrier": place.Carrier, "region": place.Region, "site": place.Site} {
		if v != "" {
			q.Set(key, v)
		}
	}
	path := "/v1/ingest"
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	return call[[]IngestServer](ctx, c, request{op: "list ingest servers", method: http.MethodGet, path: path}, nil)
}
