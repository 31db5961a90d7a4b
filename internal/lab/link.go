//go:build linux

package lab

import (
	"errors"
	"fmt"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/lab/linkem"
)

// Link is a line between two carriers, emulated in this process. Its methods
// are safe for concurrent use.
type Link struct {
	a, b     *Carrier
	emulator *linkem.Link
}

// Connect lays a line between two carriers: ab is its direction from a to b.
// Two carriers have at most one line.
func (l *Lab) Connect(a, b *Carrier, ab, ba linkem.Config) (*Link, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a.lab != l || b.lab != l || a == b {
		return nil, fmt.Errorf("connect carriers: %w: want two of this lab", shoal.ErrInvalid)
	}
	for _, k := range l.links {
		if k.joins(a, b) {
			return nil, fmt.Errorf("connect %s to %s: %w: they are", a.name, b.name, shoal.ErrConflict)
		}
	}
	emulator, err := layLine(a, b, ab, ba)
	if err != nil {
		return nil, fmt.Errorf("connect %s to %s: %w", a.name, b.name, err)
	}
	k := &Link{a, b, emulator}
	l.links = append(l.links, k)
	return k, nil
}

func (k *Link) joins(a, b *Carrier) bool { return k.a == a && k.b == b || k.a == b && k.b == a }

// layLine opens a TUN device at each end and lets the link move packets between them.
func layLine(a, b *Carrier, ab, ba linkem.Config) (*linkem.Link, error) {
	atA, err := a.openDevice(b)
	if err != nil {
		return nil, err
	}
	atB, err := b.openDevice(a)
	if err != nil {
		return nil, errors.Join(err, atA.Close())
	}
	return linkem.NewLink(atA, atB, ab, ba)
}

// openDevice makes the next TUN device of the carrier's router, and routes
// what is for the other carrier to it.
func (c *Carrier) openDevice(to *Carrier) (*linkem.Device, error) {
	name := fmt.Sprintf("t%d", c.lines)
	c.lines++
	var d *linkem.Device
	err := c.ns.do(func() (err error) {
		d, err = linkem.OpenDevice(name)
		return err
	})
	if err != nil {
		return nil, err
	}
	// The device's own queue only has to last until the emulator's thread runs.
	err = c.ns.ip(
		fmt.Sprintf("link set dev %s mtu %d txqueuelen 4000 up", name, linkem.MTU),
		fmt.Sprintf("route add %v dev %s", to.network, name),
	)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// SetConfig changes the line while it is in use; see [linkem.Pipe.SetConfig].
func (k *Link) SetConfig(ab, ba linkem.Config) error {
	if err := k.emulator.SetConfig(ab, ba); err != nil {
		return fmt.Errorf("change line from %s to %s: %w", k.a.name, k.b.name, err)
	}
	return nil
}

// Counters returns what the line was offered, delivered, dropped and lost from a to b,
// and from b to a. Bytes are those of IP packets.
func (k *Link) Counters() (ab, ba linkem.Counters) { return k.emulator.Counters() }
