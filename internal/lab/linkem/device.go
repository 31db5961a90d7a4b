//go:build linux

package linkem

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Device is a TUN device: what the kernel routes to it is read from it, and
// what is written to it arrives in the kernel. It lives until it is closed.
type Device struct {
	name string
	fd   int
}

// OpenDevice creates a TUN device of this name in the network namespace of the
// calling thread. It is down and has no address.
func OpenDevice(name string) (*Device, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open TUN device %s: %w", name, err)
	}
	req, err := unix.NewIfreq(name)
	if err == nil {
		req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create TUN device %s: %w", name, err), unix.Close(fd))
	}
	return &Device{name, fd}, nil
}

// Close removes the device. It must not be in use by a running [Link].
func (d *Device) Close() error { return unix.Close(d.fd) }

// read returns the next packet's size, or 0 where none waits.
func (d *Device) read(buf []byte) (int, error) {
	for {
		n, err := unix.Read(d.fd, buf)
		switch {
		case err == nil:
			return n, nil
		case errors.Is(err, unix.EAGAIN):
			return 0, nil
		case !errors.Is(err, unix.EINTR):
			return 0, fmt.Errorf("read from TUN device %s: %w", d.name, err)
		}
	}
}

func (d *Device) write(data []byte) error {
	for {
		_, err := unix.Write(d.fd, data)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("write to TUN device %s: %w", d.name, err)
		}
		return nil
	}
}
