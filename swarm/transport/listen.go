package transport

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/shoal-cdn/shoal"
)

// portTries is how often a host is opened that is overtaken.
const portTries = 10

// errOvertaken is why a host did not get a port that had just been free.
var errOvertaken = errors.New("somebody else took the port")

// untilListening opens a host, on another port where it was overtaken at the first. Of each
// try whose libp2p.New fails a few goroutines stay, since what could not start is not stopped.
func untilListening(open func() (*Host, error)) (*Host, error) {
	for try := 1; ; try++ {
		h, err := open()
		if !errors.Is(err, errOvertaken) || try == portTries {
			return h, err
		}
	}
}

// findPort turns host:port into an address for both transports, which share a
// port number; for port 0 one is chosen that is free for both. That it is free is
// known for now only, since libp2p opens its sockets itself; where it is not, the
// error is the kernel's.
func findPort(hostport string) (ip netip.Addr, port string, err error) {
	name, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return ip, "", fmt.Errorf("listen address %q: %w: %v", hostport, shoal.ErrInvalid, err)
	}
	if name == "" {
		name = "0.0.0.0"
	}
	ips, err := net.LookupIP(name)
	if err != nil || len(ips) == 0 {
		return ip, "", fmt.Errorf("listen address %q: %w: %v", hostport, shoal.ErrInvalid, err)
	}
	ip, _ = netip.AddrFromSlice(ips[0])
	ip = ip.Unmap()
	free, err := freePort(ip, port)
	switch {
	case err == nil:
		return ip, free, nil
	case port == "0" && errors.Is(err, syscall.EADDRINUSE): // for UDP
		return ip, "", fmt.Errorf("listen for peers: %w: %w", errOvertaken, err)
	default:
		return ip, "", fmt.Errorf("listen for peers: %w", err)
	}
}

// notListening is why libp2p, which is closed again, listened on a port with the transports
// up only. libp2p does not tell which error was the kernel's; cause is what it says, or nil.
func notListening(ip netip.Addr, port string, up []ma.Multiaddr, cause error) error {
	if _, err := freePort(ip, port); errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("listen for peers: %w: %w", errOvertaken, err)
	}
	err := fmt.Errorf("listen for peers: libp2p listens on only %v of %v", up, multiaddrs(ip, port))
	if cause != nil {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

// freePort opens and closes a port for TCP and UDP, as libp2p does: of the address's own
// family only, so that [::] and 0.0.0.0 may have the same one.
func freePort(ip netip.Addr, port string) (string, error) {
	tcp, udp := "tcp6", "udp6"
	if ip.Is4() {
		tcp, udp = "tcp4", "udp4"
	}
	l, err := net.Listen(tcp, net.JoinHostPort(ip.String(), port))
	if err != nil {
		return "", err
	}
	defer l.Close()
	port = strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	c, err := net.ListenPacket(udp, net.JoinHostPort(ip.String(), port))
	if err != nil {
		return "", err
	}
	return port, c.Close()
}
