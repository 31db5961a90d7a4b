//go:build linux

package lab_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/lab"
	"github.com/shoal-cdn/shoal/internal/lab/linkem"
)

// line is a host in each of two carriers with this line between them.
func line(t *testing.T, cfg linkem.Config) (a, b *lab.Host, k *lab.Link) {
	t.Helper()
	l := lab.Start(t)
	ca, cb := add(t, l, "ca"), add(t, l, "cb")
	k, err := l.Connect(ca, cb, cfg, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Connect(cb, ca, cfg, cfg); !errors.Is(err, shoal.ErrConflict) {
		t.Errorf("a second line: error %v, want kind conflict", err)
	}
	return addHost(t, l, "a", lab.HostConfig{Carrier: ca}), addHost(t, l, "b", lab.HostConfig{Carrier: cb}), k
}

func TestLineDelays(t *testing.T) {
	t.Parallel()
	const delay = 40 * time.Millisecond
	a, b, _ := line(t, linkem.Config{Delay: delay})
	ln, err := b.Listen(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		if conn, err := ln.Accept(); err == nil {
			io.Copy(conn, conn)
			conn.Close()
		}
	}()
	start := time.Now()
	conn, err := a.DialContext(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if rtt := time.Since(start); rtt < 2*delay {
		t.Errorf("TCP handshake took %v, less than the line's round trip of %v", rtt, 2*delay)
	}
	for range 3 {
		start := time.Now()
		if _, err := conn.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		if rtt := time.Since(start); rtt < 2*delay {
			t.Errorf("echo took %v, less than the line's round trip of %v", rtt, 2*delay)
		} else {
			t.Logf("round trip %v over a line of 2×%v", rtt, delay)
		}
	}
}

func TestLineHoldsItsRateAndCounts(t *testing.T) {
	t.Parallel()
	const size = 2 << 20
	a, b, k := line(t, linkem.Config{Rate: 20 * mbit, Delay: 5 * time.Millisecond})
	took := transfer(t, a, b, size)
	if least := time.Duration(float64(size) / float64(20*mbit) * float64(time.Second)); took < least*9/10 {
		t.Errorf("took %v, but the line needs %v", took, least)
	}
	ab, ba := k.Counters()
	// 20 IP + 32 TCP a segment.
	if least := int64(size + (size+1447)/1448*52); ab.DeliveredBytes < least {
		t.Errorf("delivered %d bytes from a to b, want at least %d", ab.DeliveredBytes, least)
	}
	if ba.DeliveredPackets == 0 || ba.DeliveredBytes > ab.DeliveredBytes/4 {
		t.Errorf("from b to a, ACKs only: %+v", ba)
	}
	t.Logf("%.2f Mbit/s of payload", size*8/took.Seconds()/1e6)
}

// Every packet that enters is delivered or counted as lost, and a changed line
// takes effect at once.
func TestLineLosesAndCounts(t *testing.T) {
	t.Parallel()
	a, b, k := line(t, linkem.Config{Loss: 1})
	const n = 50
	send := func() {
		t.Helper()
		conn, err := a.DialContext(t.Context(), "udp", b.AddrPort(9).String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for range n {
			if _, err := conn.Write(make([]byte, 100)); err != nil { // nobody listens, but the ICMP answer is lost on the way
				t.Fatal(err)
			}
		}
	}
	wait := func(what string, done func(ab linkem.Counters) bool) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for ctx.Err() == nil {
			if ab, _ := k.Counters(); done(ab) {
				return
			}
			time.Sleep(time.Millisecond)
		}
		ab, _ := k.Counters()
		t.Fatalf("%s: %+v", what, ab)
	}
	send()
	wait("all are to be lost", func(ab linkem.Counters) bool {
		return ab.LostPackets == n && ab.LostBytes == n*128 && ab.DeliveredPackets == 0
	})
	if err := k.SetConfig(linkem.Config{}, linkem.Config{Loss: 1}); err != nil {
		t.Fatal(err)
	}
	send()
	wait("all are to arrive", func(ab linkem.Counters) bool {
		return ab.OfferedPackets == 2*n && ab.LostPackets == n && ab.DeliveredPackets == n
	})
	if err := k.SetConfig(linkem.Config{Loss: 2}, linkem.Config{}); !errors.Is(err, shoal.ErrInvalid) {
		t.Errorf("loss of 2: error %v, want kind invalid", err)
	}
}
