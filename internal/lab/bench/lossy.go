//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/lab"
	"github.com/shoal-cdn/shoal/internal/lab/linkem"
)

// line is a line between two carriers. Rate, delay and loss are those of each
// direction; what is lost in one is independent of the other.
type line struct {
	linkem.Config
	tcpEnds time.Duration // after the first orders TCP no longer passes it; 0: it always does
	limit   time.Duration // when a run ends: what has arrived by then counts
}

// linePayload is the share of payload in a full packet of TCP: lines count IP
// packets. See package linkem.
const linePayload = 1448.0 / 1500

// payload is how many bytes/s the line carries in one direction if nothing is lost.
func (l line) payload() float64 { return float64(l.Rate) * linePayload }

func (l line) String() string {
	s := fmt.Sprintf("%d Mbit/s, %v one way, %g %% loss", l.Rate/mbit, l.Delay, 100*l.Loss)
	if l.tcpEnds > 0 {
		s += fmt.Sprintf(", no TCP after %v", l.tcpEnds)
	}
	return s
}

// lossyDesigns are those about one node that is across a lossy line. Their sizes take the
// line 16.7 s; a tool that needs much longer is measured by what it has brought.
func lossyDesigns() []design {
	const size = 96 << 20
	var ds []design
	for _, c := range []struct {
		delay   time.Duration
		percent int
	}{
		{30 * time.Millisecond, 1},
		{30 * time.Millisecond, 3},
		{30 * time.Millisecond, 5},
		{100 * time.Millisecond, 1},
		{100 * time.Millisecond, 5},
	} {
		l := line{
			Config: linkem.Config{Rate: 50 * mbit, Delay: c.delay, Loss: float64(c.percent) / 100},
			limit:  30 * time.Second,
		}
		ds = append(ds, design{
			fmt.Sprintf("lossy-%dms-%d", c.delay.Milliseconds(), c.percent), "one node across a line of " + l.String(), size,
			lossy(l, size, "shoal", "curl-cubic", "curl-bbr", "udt"),
		})
	}
	l := line{
		Config:  linkem.Config{Rate: 50 * mbit, Delay: 30 * time.Millisecond, Loss: 0.01},
		tcpEnds: 3 * time.Second,
		limit:   time.Minute,
	}
	return append(ds, design{"lossy-notcp", "one node across a line of " + l.String(), size / 2, lossy(l, size/2, "shoal", "udt")})
}

// lossy is a scenario about a line, whose limit is for contents of the usual size: larger ones have longer.
func lossy(l line, usual shoal.Size, tools ...string) func(shoal.Size) scenario {
	return func(size shoal.Size) scenario {
		l := l
		l.limit = max(l.limit, time.Duration(float64(l.limit)*float64(size)/float64(usual)))
		s := equal(1, 0)
		s.line, s.tools = &l, tools
		return s
	}
}

// layLine makes the line's two carriers, and one for the tracker that both reach
// without loss or limit: the origin's at once, the nodes' with the line's delay.
func (n *network) layLine(l line) (carriers, error) {
	var at carriers
	var errs [3]error
	at.tracker, errs[0] = n.lab.AddCarrier("hub")
	at.origin, errs[1] = n.lab.AddCarrier("near")
	far, err := n.lab.AddCarrier("far")
	if err := errors.Join(errs[0], errs[1], err); err != nil {
		return at, err
	}
	at.nodes = []*lab.Carrier{far}
	delay := linkem.Config{Delay: l.Delay}
	l.Seed = rand.Uint64() // with the same packets lost each time, runs would tell the same
	_, errs[0] = n.lab.Connect(at.tracker, at.origin, linkem.Config{}, linkem.Config{})
	_, errs[1] = n.lab.Connect(at.tracker, far, delay, delay)
	n.line, errs[2] = n.lab.Connect(at.origin, far, l.Config, l.Config)
	return at, errors.Join(errs[:]...)
}

// plainTCP makes reno the congestion control of who asks for no other, on all hosts at the line's
// ends: that a tool does well must not be due to this machine's default.
func (n *network) plainTCP(ctx context.Context) error {
	for _, m := range append([]member{n.origin}, n.nodes...) {
		if err := runOn(ctx, m.host, "sh", "-c", "echo reno >/proc/sys/net/ipv4/tcp_congestion_control"); err != nil {
			return err
		}
	}
	return nil
}

// blockTCP drops what of TCP arrives from the line, at both of its ends, in silence: as a firewall on
// the way does.
func (n *network) blockTCP(ctx context.Context) error {
	near, far := n.origin.host.Carrier().Network(), n.nodes[0].host.Carrier().Network()
	err := dropTCP(ctx, n.origin.host, far)
	for _, m := range n.nodes {
		err = errors.Join(err, dropTCP(ctx, m.host, near))
	}
	return err
}

func dropTCP(ctx context.Context, h *lab.Host, from netip.Prefix) error {
	return runOn(ctx, h, "nft", "add table ip cut"+
		"; add chain ip cut in { type filter hook input priority 0; }"+
		"; add rule ip cut in ip saddr "+from.String()+" ip protocol tcp drop")
}
