package transport

import "golang.org/x/sys/unix"

// notSentLowat bounds the bytes that the kernel takes before it has sent
// earlier ones: what a request may have to queue behind, at most.
const notSentLowat = 32 << 10

func setSocketOptions(fd uintptr) {
	_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, notSentLowat)
}
