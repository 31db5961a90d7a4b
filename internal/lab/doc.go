// Package lab builds small networks out of Linux network namespaces, to run
// real programs, ours and others', over links of a known rate, delay and loss.
//
//	    host "origin"        host "n1"                 host "n2"
//	┌─────────────────┐ ┌─────────────────┐       ┌─────────────────┐
//	│ eth0   TBF (Up) │ │ eth0   TBF (Up) │       │ eth0   TBF (Up) │  a namespace each
//	└────────┬────────┘ └────────┬────────┘       └────────┬────────┘
//	         │                   │  veth                   │
//	┌────────┴────────┬──────────┴────────┐       ┌────────┴────────┐
//	│ p1   TBF (Down) │ p2   TBF (Down)   │       │ p1   TBF (Down) │
//	│ br0   198.18.1.0/24                 │       │ br0   198.18.2.0/24
//	│ carrier "a"             t0 (TUN)    │       │ t0 (TUN)        │  carrier "b"
//	└────────────────────────────┬────────┘       └────┬────────────┘
//	                             └─────linkem.Link─────┘
//	                  in this process: rate, delay, loss, queue
//
// A [Carrier] is a bridge in a namespace of its own, which is also its router;
// a [Host] is a namespace with one interface into the bridge; [Lab.Connect]
// lays a line between two carriers through package linkem. Addresses are from
// 198.18.0.0/15 (RFC 2544), and nothing is connected to the machine's own
// network. Use it like this:
//
//	l := lab.Start(t) // skips without root, closes when t ends
//	a, err := l.AddCarrier("a")
//	origin, err := l.AddHost("origin", lab.HostConfig{Carrier: a, Up: rate, Down: rate})
//	out, err := origin.Command(t.Context(), "shoal", "version").Output()
//	resp, err := origin.HTTPClient().Get("http://198.18.1.2:8080/readyz")
//
// Package cluster runs shoal's own processes in it.
//
// # What is modelled
//
//   - A host's access link: a token bucket in each direction, with a drop-tail
//     queue of 150 ms (256 KiB at least) and a burst of 10 ms (32 KiB at least).
//     It counts whole Ethernet frames without preamble and checksum. A full
//     frame of 1514 bytes carries 1448 of TCP payload, so 20 Mbit/s carry at
//     most 19.13 Mbit/s; measured with plain TCP (BBR): 19.1.
//   - A line between carriers: see package linkem; its rate counts IP packets.
//   - Packets of at most 1500 bytes of IP. Of one connection as many travel
//     together as the link sends in 2.5 ms, at most 16 (four at 20 Mbit/s, one at
//     4), as with a network card that cuts segments itself: handling each by
//     itself took a third of a machine with 17 hosts, and a bucket lets four
//     times as much through at once anyway. Rates and counters are those of
//     single packets. In a direction without a limit there are segments of up to
//     64 KiB, which its counters take for one packet.
//
// # What is not
//
//   - No delay inside a carrier: hosts of one carrier are some 50 µs apart.
//   - No shared bottleneck inside a carrier: bridges have no rate of their own.
//   - Carriers without a line between them don't reach each other: there is no
//     routing through third carriers.
//   - No IPv6, no NAT, no firewall, no damage, duplication or reordering.
//   - The machine: all hosts share its CPUs, memory and disk. Watch [Stats] and
//     keep the sum of rates well below what the CPUs can move.
//
// # Leftovers
//
// Everything in a lab lives in namespaces named shoal-lab.PID.START.SEQ.NAME
// after the process that made them. [Lab.Close] ends the processes in them and
// removes them; [New] does the same to those whose process is gone, so a crash
// leaves nothing for long. Labs of several processes, or of one, don't meet.
// One setting of the machine stays: its table of neighbours is made larger.
package lab
