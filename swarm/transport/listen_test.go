package transport

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
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
