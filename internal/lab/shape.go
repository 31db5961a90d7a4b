//go:build linux

package lab

import (
	"fmt"
	"time"

	"github.com/shoal-cdn/shoal"
)

// A token bucket's depth and queue, and how much the kernel may handle at once,
// as the package comment promises.
const (
	burstTime  = 10 * time.Millisecond
	burstBytes = 32 << 10
	queueTime  = 150 * time.Millisecond
	queueBytes = 256 << 10
	groupTime  = 2500 * time.Microsecond
	maxGroup   = 16
	packet     = 1514 // bytes
)

// setRates limits both directions of the host's link; 0: no limit. It is called
// with mu held, or before h is shared.
//
// It makes the kernel cut segments before they reach either interface: a
// "packet" of 64 KiB would pass a token bucket at once. A direction that never
// had a limit keeps its offloads, since fast lines need them.
func (h *Host) setRates(up, down shoal.Rate) error {
	before, err := h.readCounters()
	if err != nil {
		return err
	}
	if up != h.up {
		if err := h.ns.shape("eth0", up); err != nil {
			return err
		}
		h.up = up
	}
	if down != h.down {
		if err := h.carrier.ns.shape(h.port, down); err != nil {
			return err
		}
		h.down = down
	}
	// Where a bucket came or went the statistics begin anew.
	after, err := h.readCounters()
	h.uncounted = h.uncounted.Sub(before.Sub(after))
	return err
}

// shape limits what leaves through the interface. In tc's units "bps" is bytes
// a second.
func (ns *namespace) shape(device string, rate shoal.Rate) error {
	if rate == 0 {
		return ns.tc("qdisc del dev " + device + " root")
	}
	if err := ns.ip(fmt.Sprintf("link set dev %s %s", device, offload(rate))); err != nil {
		return err
	}
	over := func(d time.Duration, least int) int { return max(least, int(d.Seconds()*float64(rate))) }
	return ns.tc(fmt.Sprintf("qdisc replace dev %s root tbf rate %dbps burst %d limit %d",
		device, int64(rate), over(burstTime, burstBytes), over(queueTime, queueBytes)))
}

// offload lets the kernel handle as many packets together as the link sends in groupTime.
func offload(rate shoal.Rate) string {
	packets := min(max(1, int(groupTime.Seconds()*float64(rate)/packet)), maxGroup)
	return fmt.Sprintf("gso_max_segs %d gso_max_size %d", packets, packets*packet)
}
