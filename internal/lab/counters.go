//go:build linux

package lab

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// Counters counts what passed a host's interface since it was made: packets as
// they are on the wire, and their bytes with 14 of Ethernet header each. Sent
// counts behind the uplink's limit, Received behind the downlink's; what a queue
// dropped is in neither. ARP is included: some 42 bytes now and then. In a
// direction without a limit the packets may be large segments; see the package
// comment.
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

// Counters reads the host's statistics.
func (h *Host) Counters() (Counters, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c, err := h.readCounters()
	if err != nil {
		return c, fmt.Errorf("counters of host %s: %w", h.name, err)
	}
	return c.Sub(h.uncounted), nil
}

// readCounters reads what the interface, and where there is a limit its token
// bucket, has counted: an interface counts packets that are handled together
// as one, with one header. It is called with mu held.
func (h *Host) readCounters() (Counters, error) {
	var c Counters
	err := h.ns.do(func() (err error) {
		c, err = readInterface("eth0")
		return err
	})
	if err == nil && h.up != 0 {
		c.SentBytes, c.SentPackets, err = h.ns.readBucket("eth0")
	}
	if err == nil && h.down != 0 {
		c.ReceivedBytes, c.ReceivedPackets, err = h.carrier.ns.readBucket(h.port)
	}
	return c, err
}

// readBucket reads the statistics of an interface's token bucket.
func (ns *namespace) readBucket(device string) (bytes, packets int64, err error) {
	out, err := exec.Command("tc", "-n", ns.name, "-s", "-j", "qdisc", "show", "dev", device, "root").Output()
	if err != nil {
		return 0, 0, fmt.Errorf("statistics of %s: %w", device, err)
	}
	var buckets []struct {
		Bytes, Packets int64
	}
	if err := json.Unmarshal(out, &buckets); err != nil || len(buckets) != 1 {
		return 0, 0, fmt.Errorf("statistics of %s: %d queues, %w", device, len(buckets), err)
	}
	return buckets[0].Bytes, buckets[0].Packets, nil
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
