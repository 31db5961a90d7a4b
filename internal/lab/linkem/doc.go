// Package linkem emulates a line between two networks: a rate, a one-way
// delay, random loss and a bounded queue, each direction on its own.
//
// It stands in for the kernel's netem, which is not available everywhere, and
// works on IP packets that the kernel routes into a TUN device. A packet that
// enters one [Device] leaves the other one as the model says:
//
//	arrival → drop-tail queue (bytes) → serialisation at Rate → loss → Delay → delivery
//
// [Pipe] is the model of one direction. It does no I/O and reads no clock.
// [Link] moves packets between two devices with one goroutine and no timer a
// packet. Packets are never reordered, duplicated or damaged, and never
// delivered early; they may be late by the time the process waits for a CPU.
// Loss is uniform and independent, drawn from a seeded generator, so that the
// same sequence of packets loses the same ones.
//
// A link keeps up with 200 Mbit/s of full packets at some 40 % of one core of a
// small virtual machine, nine tenths of it the kernel's own forwarding and
// receiving, which runs within the write to the device; 600 Mbit/s and above
// need an otherwise idle machine.
//
// Sizes are those of IP packets: no link-layer header counts against Rate.
package linkem
