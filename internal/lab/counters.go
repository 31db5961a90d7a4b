//go:build linux

package lab

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Counters counts what passed a host's interface since it was made: frames,
// and their bytes with 14 of Ethernet header each. Sent counts behind the
// uplink's limit, Received behind the downlink's; what a queue dropped is in
// neither. ARP is included: some 42 bytes now and then. Of a host without any
// limit the frames may be large segments; see the package comment.
type Counters struct {
	SentBytes, SentPackets         int64
	ReceivedBytes, ReceivedPackets int64
}

// Sub is what was counted between o and c.
func (c Counters) Sub(o Counters) Counters {
	return Counters{
		SentBytes: c.SentBytes - o.SentBytes, SentPackets: c.SentPackets - o.SentPackets,
		ReceivedBytes: c.ReceivedBytes - o.ReceivedBytes, ReceivedPackets: c.ReceivedPackets - o.ReceivedPackets,
	}
}

// Counters reads the host's interface statistics.
func (h *Host) Counters() (Counters, error) {
	var c Counters
	err := h.ns.do(func() (err error) {
		c, err = readInterface("eth0")
		return err
	})
	if err != nil {
		return c, fmt.Errorf("counters of host %s: %w", h.name, err)
	}
	return c, nil
}

// readInterface reads a line of /proc/net/dev of the calling thread's namespace:
// the name, then eight fields for received and eight for sent frames, of which
// the first two are bytes and packets (proc(5)).
func readInterface(device string) (Counters, error) {
	f, err := os.Open("/proc/thread-self/net/dev")
	if err != nil {
		return Counters{}, err
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		name, values, ok := strings.Cut(strings.TrimSpace(sc.Text()), ":")
		if !ok || name != device {
			continue
		}
		var c Counters
		v := strings.Fields(values)
		if len(v) < 10 {
			return c, fmt.Errorf("interface %s: %d statistics", device, len(v))
		}
		for i, p := range map[int]*int64{0: &c.ReceivedBytes, 1: &c.ReceivedPackets, 8: &c.SentBytes, 9: &c.SentPackets} {
			if *p, err = strconv.ParseInt(v[i], 10, 64); err != nil {
				return c, fmt.Errorf("interface %s: %w", device, err)
			}
		}
		return c, nil
	}
	return Counters{}, fmt.Errorf("no interface %s", device)
}
