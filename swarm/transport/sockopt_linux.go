package transport

import (
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// notSentLowat bounds the bytes that the kernel takes before it has sent
// earlier ones: what a request may have to queue behind, at most.
const notSentLowat = 32 << 10

func setSocketOptions(fd uintptr) {
	_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, notSentLowat)
}

// nearRTT is the round trip, in microseconds, below which a path is taken for
// one within a site or a city.
const nearRTT = 10_000

// setCongestionControl chooses cubic for near paths, where many connections
// share a queue without loss of their own, and BBR for far ones, which lose
// packets for other reasons than load. Where the kernel refuses it stays at its
// default. (docs/adr/0006)
func setCongestionControl(fd uintptr) {
	info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return
	}
	name := "cubic"
	if info.Rtt >= nearRTT {
		name = "bbr"
	}
	_ = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, name)
}

// tcpCounters reads what the kernel has counted of a connection (tcp(7), TCP_INFO).
func tcpCounters(fd uintptr) (c Counters, ok bool) {
	info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return Counters{}, false
	}
	return Counters{
		Acked:  int64(info.Bytes_acked),
		Sent:   int64(info.Bytes_sent),
		Resent: int64(info.Bytes_retrans),
		Busy:   time.Duration(info.Busy_time) * time.Microsecond,
		RTT:    time.Duration(info.Rtt) * time.Microsecond,
		MinRTT: minRTT(info.Min_rtt),
	}, true
}

// minRTT reads tcpi_min_rtt, in microseconds, which is all ones while nothing was measured.
func minRTT(us uint32) time.Duration {
	if us == math.MaxUint32 {
		return 0
	}
	return time.Duration(us) * time.Microsecond
}

// lowWaterMark says that setLowWaterMark works.
const lowWaterMark = true

// setLowWaterMark has a socket count as readable when so many bytes are there,
// or no more can come.
func setLowWaterMark(fd uintptr, bytes int) {
	_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT, bytes)
}
