package transport

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"

	"github.com/shoal-cdn/shoal"
)

// portTries is how often a host is opened that is overtaken.
const portTries = 10

// errOvertaken is why a host did not get a port that had just been free.
var errOvertaken = errors.New("somebody else took the port")

// untilListening opens a host, on another port where it was overtaken at the first.
func untilListening(open func() (*Host, error)) (*Host, error) {
	for try := 1; ; try++ {
		h, err := open()
		if !errors.Is(err, errOvertaken) || try == portTries {
			return h, err
		}
	}
}

// findPort turns host:port into the multiaddrs of both transports, which share a
// port number; for port 0 one is chosen that is free for both. That it is free is
// known for now only, since libp2p opens its sockets itself; where it is not, the
// error is the kernel's.
func findPort(hostport string) (addrs []string, port string, err error) {
	name, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, "", fmt.Errorf("listen address %q: %w: %v", hostport, shoal.ErrInvalid, err)
	}
	if name == "" {
		name = "0.0.0.0"
	}
	ips, err := net.LookupIP(name)
	if err != nil || len(ips) == 0 {
		return nil, "", fmt.Errorf("listen address %q: %w: %v", hostport, shoal.ErrInvalid, err)
	}
	ip, _ := netip.AddrFromSlice(ips[0])
	ip = ip.Unmap()
	free, err := freePort(ip, port)
	switch {
	case err == nil:
		return multiaddrs(ip, free), free, nil
	case port == "0" && errors.Is(err, syscall.EADDRINUSE): // for UDP
		return nil, "", fmt.Errorf("listen for peers: %w: %w", errOvertaken, err)
	default:
		return nil, "", fmt.Errorf("listen for peers: %w", err)
	}
}

// freePort opens and closes a port for TCP and UDP.
func freePort(ip netip.Addr, port string) (string, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(ip.String(), port))
	if err != nil {
		return "", err
	}
	defer l.Close()
	port = strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	c, err := net.ListenPacket("udp", net.JoinHostPort(ip.String(), port))
	if err != nil {
		return "", err
	}
	return port, c.Close()
}
