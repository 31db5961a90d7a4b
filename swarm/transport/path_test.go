package transport

import (
	"io"
	"testing"
	"time"
)

// A connection's counters tell what went over it, on both transports, and are still
// there when it is closed.
func TestPathCounters(t *testing.T) {
	if !lowWaterMark {
		t.Skip("this system does not count")
	}
	const n = 1 << 20
	for _, offer := range []string{"/tcp/", "/quic-v1"} {
		t.Run(offer[1:4], func(t *testing.T) {
			a, b := newHost(t, "127.0.0.1:0"), newHost(t, "127.0.0.1:0")
			echo(b)
			s, err := a.Open(t.Context(), b.ID(), only(b.Addrs(), offer), testProtocol)
			if err != nil {
				t.Fatal(err)
			}
			go func() { _, _ = s.Write(make([]byte, n)) }()
			if _, err := io.ReadFull(s, make([]byte, n)); err != nil {
				t.Fatal(err)
			}
			again, err := a.Open(t.Context(), b.ID(), nil, testProtocol)
			if err != nil {
				t.Fatal(err)
			}
			if s.Path() != again.Path() || s.Path() == (Path{}) {
				t.Errorf("two streams of a connection have paths %+v and %+v", s.Path(), again.Path())
			}
			c, open := s.Path().Counters()
			if !open || c.Acked < n || c.Acked > 2*n || c.Sent < n || c.RTT <= 0 || c.MinRTT <= 0 ||
				c.MinRTT > c.RTT+time.Microsecond { // quic-go cuts off what the smoothed one has beyond microseconds
				t.Errorf("open %v: %+v after %d bytes", open, c, n)
			}
			a.Disconnect(b.ID())
			last, open := s.Path().Counters()
			if open || last.Acked < c.Acked {
				t.Errorf("closed, still open %v: %+v", open, last)
			}
		})
	}
}
