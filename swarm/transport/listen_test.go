package transport

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// A port is had for TCP and for QUIC or not at all; libp2p would do with one of them.
func TestPortTaken(t *testing.T) {
	key, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	for _, addr := range []net.Addr{tcp.Addr(), udp.LocalAddr()} {
		h, err := New(Config{Key: key, Listen: addr.String(), Log: slog.New(slog.DiscardHandler)})
		if !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("with %s/%s taken: %v", addr, addr.Network(), err)
		}
		if err == nil {
			h.Close()
		}
	}
}

// Between the look for a free port and its use somebody else may take it.
func TestOvertakenAtPort(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		name       string
		fails      int // times, with err
		err, want  error
		wantOpened int
	}{
		{"at once", 0, nil, nil, 1},
		{"overtaken three times", 3, errOvertaken, nil, 4},
		{"always overtaken", portTries, errOvertaken, errOvertaken, portTries},
		{"fails otherwise", 3, broken, broken, 1},
	} {
		opened := 0
		h, err := untilListening(func() (*Host, error) {
			if opened++; opened <= tt.fails {
				return nil, fmt.Errorf("listen: %w", tt.err)
			}
			return &Host{}, nil
		})
		if !errors.Is(err, tt.want) || (h == nil) != (tt.want != nil) || opened != tt.wantOpened {
			t.Errorf("%s: opened %d times, %v", tt.name, opened, err)
		}
	}
}

// A host that does not listen on all it is to has been overtaken only where somebody has the port.
func TestNotListening(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	at, cause := netip.MustParseAddrPort(l.Addr().String()), errors.New("no certificate")
	port := strconv.Itoa(int(at.Port()))
	if err := notListening(at.Addr(), port, nil, cause); !errors.Is(err, errOvertaken) || !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("somebody has the port: %v", err)
	}
	up := parse(t, "127.0.0.1")
	for _, cause := range []error{cause, nil} {
		// Port 0 is always free.
		if err := notListening(at.Addr(), "0", up, cause); errors.Is(err, errOvertaken) || !errors.Is(err, cause) && cause != nil ||
			!strings.Contains(err.Error(), "only [/ip4/127.0.0.1/tcp/1] of [/ip4/127.0.0.1/tcp/0 /ip4/127.0.0.1/udp/0/quic-v1]") {
			t.Errorf("nobody has the port: %v", err)
		}
	}
}

// One process may listen for IPv4 and another for IPv6, on one port.
func TestPortOfTheOtherFamily(t *testing.T) {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6: %v", err)
	}
	l.Close()
	key, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	for range portTries { // somebody else may have the port for IPv6
		four := newHost(t, "0.0.0.0:0")
		_, port, _ := strings.Cut(only(four.Addrs(), "/tcp/")[0], "/tcp/")
		var six *Host
		if six, err = New(Config{Key: key, Listen: "[::]:" + port, Log: slog.New(slog.DiscardHandler)}); err == nil {
			six.Close()
			return
		}
	}
	t.Error(err)
}
