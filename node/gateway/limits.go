package gateway

import (
	"context"
	"net/netip"
	"sync"

	"golang.org/x/time/rate"

	"github.com/shoal-cdn/shoal"
)

// admission counts requests under way, or connections. It is safe for concurrent use.
type admission struct {
	most, perClient int

	mu      sync.Mutex
	total   int
	clients map[netip.Prefix]int
}

func newAdmission(most, perClient int) *admission {
	return &admission{most: most, perClient: perClient, clients: make(map[netip.Prefix]int)}
}

// enter admits a request unless there are too many; leave ends it.
func (a *admission) enter(remote string) (leave func(), ok bool) {
	return a.admit(clientOf(remote))
}

// admit is enter for a client that has a bound of its own, or has none.
func (a *admission) admit(client netip.Prefix, bounded bool) (leave func(), ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.total >= a.most || bounded && a.clients[client] >= a.perClient {
		return nil, false
	}
	a.total++
	a.clients[client]++
	return func() { a.leave(client) }, true
}

func (a *admission) leave(client netip.Prefix) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.total--
	if a.clients[client]--; a.clients[client] == 0 {
		delete(a.clients, client)
	}
}

// crowded reports whether a quarter of what is admitted is there, in all or of
// a client.
func (a *admission) crowded(remote string) bool {
	client, bounded := clientOf(remote)
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.total > a.most/4 || bounded && a.clients[client] > a.perClient/4
}

func (a *admission) underWay() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.total
}

// clientOf is whom a remote address counts for: the address itself, of IPv6 the
// /64, within which anybody has all addresses. Those it cannot read are one client.
func clientOf(remote string) (client netip.Prefix, bounded bool) {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}, true
	}
	ip := ap.Addr().Unmap().WithZone("")
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	client, _ = ip.Prefix(bits) // fails only for more bits than there are
	return client, !ip.IsLoopback()
}

// pace is the rate that transfers share; the zero value is no limit.
type pace struct{ limiter *rate.Limiter }

// newPace also returns how much a transfer may send at a time, so that many share
// a low rate evenly: about 50 ms' worth.
func newPace(r shoal.Rate) (p pace, chunk int) {
	if r <= 0 {
		return pace{}, chunkSize
	}
	chunk = int(min(max(int64(r)/20, 4<<10), chunkSize))
	burst := max(chunk, int(min(int64(r)/50, 64<<20))) // 20 ms: what a coarse timer misses
	return pace{rate.NewLimiter(rate.Limit(r), burst)}, chunk
}

// wait returns when n bytes may be sent, or with ctx's error.
func (p pace) wait(ctx context.Context, n int) error {
	if p.limiter == nil {
		return ctx.Err()
	}
	return p.limiter.WaitN(ctx, n)
}
