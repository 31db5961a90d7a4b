package leases

import (
	"time"

	"github.com/shoal-cdn/shoal/tracker/api"
)

// unboundedTime is how long a lease without bounds lasts.
const unboundedTime = time.Hour

// Unbounded grants whoever asks all of a content from its first web seed, as if
// there were no leases: to see what they save. A new lease has the given ID.
func Unbounded(r *api.LeaseRequest, c *Content, id string) api.LeaseReply {
	if len(c.webSeeds) == 0 {
		return api.LeaseReply{Reason: api.NoUpstream, RetryAfter: unboundedTime.Seconds()}
	}
	l := &api.Lease{
		ID:       id,
		Upstream: api.Upstream{Name: c.webSeeds[0], Kind: api.WebSeed, URLs: c.webSeeds[:1]},
		Pieces:   []api.Run{{Count: c.pieces}},
		Bytes:    c.size, Expires: unboundedTime.Seconds(),
	}
	if r.Lease != "" && !r.Done {
		l.ID = r.Lease
	}
	return api.LeaseReply{Lease: l}
}
