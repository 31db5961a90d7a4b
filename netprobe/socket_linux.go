package netprobe

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// tcpSent asks the kernel for the segments with data that a socket sent, and
// those of them that were sent again (tcp(7), TCP_INFO; since Linux 4.6).
func tcpSent(raw syscall.RawConn) Loss {
	var l Loss
	_ = raw.Control(func(fd uintptr) { // a closed socket leaves l unknown
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err == nil {
			sent := int64(info.Data_segs_out)
			l = Loss{Sent: sent, Lost: min(int64(info.Total_retrans), sent)}
		}
	})
	return l
}
