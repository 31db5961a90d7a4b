package transport

import (
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// recordConn is a socket below TLS that spares wake-ups and packets, knowing
// where TLS records begin and end (RFC 8446 §5.1).
//
// Of a record nothing can be used before all of it is there. A slow path
// delivers it in a dozen packets; instead of waking up for each, the reader has
// the kernel wait for the rest (SO_RCVLOWAT). Nothing is delayed by that.
//
// A muxer's frame makes several records, each of which TLS writes by itself.
// Between hold and flush they are gathered and go out in one write.
//
// Reads are not safe for concurrent use with each other, which TLS sees to.
type recordConn struct {
	net.Conn

	// The reader's.
	socket syscall.RawConn // nil where it has no low-water mark
	head   [recordHeader]byte
	got    int           // bytes of head that have come
	left   int           // bytes of the record that are still to come after head
	mark   int           // the socket's low-water mark, bytes
	set    func(uintptr) // sets it to mark

	mu      sync.Mutex
	holding bool
	held    []byte

	writing atomic.Bool // between hold and the end of flush
}

const (
	recordHeader = 5 // type, version, length
	// worthMark is the rest of a record, in bytes, from which on one wake-up
	// more is dearer than setting the low-water mark twice.
	worthMark = 4 << 10
)

func newRecordConn(c net.Conn) *recordConn {
	r := &recordConn{Conn: c, mark: 1}
	if sc, ok := c.(syscall.Conn); ok && lowWaterMark {
		if raw, err := sc.SyscallConn(); err == nil {
			r.socket = raw
			r.set = func(fd uintptr) { setLowWaterMark(fd, r.mark) }
		}
	}
	return r
}

// recordsBelow returns the recordConn that a TLS connection is on, or nil.
func recordsBelow(c net.Conn) *recordConn {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		r, _ := t.NetConn().(*recordConn)
		return r
	}
	return nil
}

func (c *recordConn) Read(p []byte) (int, error) {
	c.await(c.wanted(len(p)))
	n, err := c.Conn.Read(p)
	c.follow(p[:n])
	return n, err
}

// wanted is how many bytes the next read into so much room has to wait for.
func (c *recordConn) wanted(room int) int {
	if n := min(c.left, room); n >= worthMark {
		return n
	}
	return 1
}

// await makes the next read wake up only when so many bytes are there.
func (c *recordConn) await(n int) {
	if n != c.mark && c.socket != nil {
		c.mark = n
		_ = c.socket.Control(c.set) // only tunes
	}
}

// follow keeps track of where the record ends in what has been read.
func (c *recordConn) follow(p []byte) {
	for len(p) > 0 {
		if c.left > 0 {
			n := min(c.left, len(p))
			c.left -= n
			p = p[n:]
			continue
		}
		n := copy(c.head[c.got:], p)
		c.got += n
		p = p[n:]
		if c.got == recordHeader {
			c.got, c.left = 0, int(c.head[3])<<8|int(c.head[4])
		}
	}
}

// Write sends p, or keeps it until flush is called.
func (c *recordConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.holding {
		return c.Conn.Write(p)
	}
	c.held = append(c.held, p...)
	return len(p), nil
}

// hold has what is written from now on wait for flush.
func (c *recordConn) hold() {
	c.writing.Store(true)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holding = true
}

// flush sends what was held.
func (c *recordConn) flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.Conn.Write(c.held)
	c.holding, c.held = false, c.held[:0]
	c.writing.Store(false)
	return err
}
