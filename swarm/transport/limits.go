package transport

import (
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/x/rate"
)

// Bounds on what peers may occupy.
const (
	maxConns       = 4096
	maxConnsPerIP  = 1024 // many nodes may share one address: containers, NAT, test machines
	maxStreams     = 1 << 15
	maxPeerStreams = 1024 // one a content, and the occasional identify
	maxPeerConns   = 8
	maxMemory      = 1 << 30 // yamux windows, bytes
)

func resourceManager() (network.ResourceManager, error) {
	limits := rcmgr.InfiniteLimits.ToPartialLimitConfig()
	limits.System = rcmgr.ResourceLimits{
		Conns: maxConns, ConnsInbound: maxConns, ConnsOutbound: maxConns,
		Streams: maxStreams, StreamsInbound: maxStreams, StreamsOutbound: maxStreams,
		Memory: maxMemory,
	}
	limits.Transient = rcmgr.ResourceLimits{Conns: maxConns / 4, ConnsInbound: maxConns / 4}
	limits.PeerDefault = rcmgr.ResourceLimits{
		Conns: maxPeerConns, ConnsInbound: maxPeerConns, ConnsOutbound: maxPeerConns,
		Streams: maxPeerStreams, StreamsInbound: maxPeerStreams, StreamsOutbound: maxPeerStreams,
	}
	perIP := func(prefix int) []rcmgr.ConnLimitPerSubnet {
		return []rcmgr.ConnLimitPerSubnet{{PrefixLength: prefix, ConnCount: maxConnsPerIP}}
	}
	rm, err := rcmgr.NewResourceManager(
		rcmgr.NewFixedLimiter(limits.Build(rcmgr.InfiniteLimits)),
		rcmgr.WithLimitPerSubnet(perIP(32), perIP(64)),
		rcmgr.WithNetworkPrefixLimit(
			[]rcmgr.NetworkPrefixLimit{{Network: netip.MustParsePrefix("0.0.0.0/0"), ConnCount: math.MaxInt}},
			[]rcmgr.NetworkPrefixLimit{{Network: netip.MustParsePrefix("::/0"), ConnCount: math.MaxInt}}),
		rcmgr.WithConnRateLimiters(&rate.Limiter{
			GlobalLimit: rate.Limit{RPS: 1000, Burst: 2000},
			SubnetRateLimiter: rate.SubnetLimiter{
				IPv4SubnetLimits: []rate.SubnetLimit{{PrefixLength: 32, Limit: rate.Limit{RPS: 200, Burst: maxConnsPerIP}}},
				IPv6SubnetLimits: []rate.SubnetLimit{{PrefixLength: 64, Limit: rate.Limit{RPS: 200, Burst: maxConnsPerIP}}},
				GracePeriod:      time.Minute,
			},
		}),
		rcmgr.WithMetricsDisabled(),
	)
	if err != nil {
		return nil, fmt.Errorf("resource manager: %w", err)
	}
	return rm, nil
}
