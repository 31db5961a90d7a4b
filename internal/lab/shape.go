//go:build linux

package lab

import (
	"fmt"
	"time"

	"github.com/shoal-cdn/shoal"
)

// A token bucket's depth and queue, as the package comment promises.
const (
	burstTime  = 10 * time.Millisecond
	burstBytes = 32 << 10
	queueTime  = 150 * time.Millisecond
	queueBytes = 256 << 10
)

// setRates limits both directions of the host's link; 0: no limit. It is called
// with mu held, or before h is shared.
//
// It makes the kernel cut segments before they reach either interface: a
// "packet" of 64 KiB would pass a token bucket at once and count as one. A host
// that never had a limit keeps its offloads, since fast lines need them.
func (h *Host) setRates(up, down shoal.Rate) error {
	port := h.carrier.ns
	if up != 0 || down != 0 {
		if err := h.ns.ip("link set dev eth0 gso_max_segs 1 gso_max_size 1514"); err != nil {
			return err
		}
		if err := port.ip(fmt.Sprintf("link set dev %s gso_max_segs 1 gso_max_size 1514", h.port)); err != nil {
			return err
		}
	}
	if up != h.up {
		if err := h.ns.shape("eth0", up); err != nil {
			return err
		}
		h.up = up
	}
	if down != h.down {
		if err := port.shape(h.port, down); err != nil {
			return err
		}
		h.down = down
	}
	return nil
}

// shape limits what leaves through the interface. In tc's units "bps" is bytes
// a second.
func (ns *namespace) shape(device string, rate shoal.Rate) error {
	if rate == 0 {
		return ns.tc("qdisc del dev " + device + " root")
	}
	over := func(d time.Duration, least int) int { return max(least, int(d.Seconds()*float64(rate))) }
	return ns.tc(fmt.Sprintf("qdisc replace dev %s root tbf rate %dbps burst %d limit %d",
		device, int64(rate), over(burstTime, burstBytes), over(queueTime, queueBytes)))
}
