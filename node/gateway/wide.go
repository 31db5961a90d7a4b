package gateway

import (
	"net"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal/internal/sockopt"
)

const (
	// sendBuffer is how much a connection may have under way, in bytes, where the kernel
	// allows it: four round trips of 200 ms at 80 Mbit/s, since what follows a lost packet
	// stays there until that has arrived. Kernels commonly end at 4 MiB.
	sendBuffer = 8 << 20
	// wideConns bounds the connections of an address that have it at a time: with what the
	// kernel counts for its own accounts, they hold 256 MiB.
	wideConns = 16
	// wideConnsEach bounds those of one client, so that it leaves some to others. A node begins
	// to read a gateway over one.
	wideConnsEach = wideConns / 4
)

// wideListener gives wide send buffers to as many connections as it has places, and leaves the
// others to the kernel. A client can have a connection hold all that fits: it acknowledges what
// it did not get, and then falls silent.
type wideListener struct {
	*net.TCPListener
	places *admission
}

func newWideListener(l *net.TCPListener) *wideListener {
	return &wideListener{l, newAdmission(wideConns, wideConnsEach)}
}

// Accept implements [net.Listener]. The connections are [net.TCPConn] or embed one, so that
// net/http can use sendfile on them.
func (l *wideListener) Accept() (net.Conn, error) {
	c, err := l.AcceptTCP()
	if err != nil {
		return nil, err
	}
	client, _ := clientOf(c.RemoteAddr().String()) // on this host, too: no proxy there needs more
	leave, ok := l.places.admit(client, true)
	if !ok {
		return c, nil
	}
	if widen(c) != nil { // and no failure: it only tunes
		leave()
		return c, nil
	}
	return &wideConn{TCPConn: c, leave: leave}, nil
}

func widen(c *net.TCPConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	return sockopt.WidenSend(raw, sendBuffer)
}

// wideConn gives its place back when it is closed.
type wideConn struct {
	*net.TCPConn
	leave func()
	once  sync.Once
}

// Close implements [net.Conn]. What the kernel still has to send keeps the place for as long as
// it may take.
func (c *wideConn) Close() error {
	c.once.Do(func() {
		if c.unacknowledged() > 0 {
			time.AfterFunc(silence, c.leave)
			return
		}
		c.leave()
	})
	return c.TCPConn.Close()
}

func (c *wideConn) unacknowledged() int {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0
	}
	n, _ := sockopt.Unacknowledged(raw) // 0 with an error
	return n
}
