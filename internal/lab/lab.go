//go:build linux

package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/shoal-cdn/shoal"
)

// Lab owns a set of namespaces. Its methods are safe for concurrent use.
type Lab struct {
	prefix string // of its namespaces' names

	mu        sync.Mutex // guards the fields below
	names     map[string]bool
	carriers  int
	spaces    []*namespace
	links     []*Link
	processes []*Process
	closed    bool
}

// sequence tells the labs of this process apart.
var sequence atomic.Int64

// nameForm keeps names fit for a file name and for reading.
var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// Available says why no lab can be made here; nil where one can.
func Available() error {
	if os.Geteuid() != 0 {
		return errors.New("needs root: network namespaces")
	}
	return nil
}

// New returns an empty lab, and removes what dead processes' labs left behind.
func New() (*Lab, error) {
	if err := Available(); err != nil {
		return nil, fmt.Errorf("new lab: %w", err)
	}
	if err := removeStale(); err != nil {
		return nil, fmt.Errorf("new lab: %w", err)
	}
	if err := roomForNeighbours(); err != nil {
		return nil, fmt.Errorf("new lab: %w", err)
	}
	owner, err := ownerOf(os.Getpid())
	if err != nil {
		return nil, fmt.Errorf("new lab: %w", err)
	}
	return &Lab{
		prefix: fmt.Sprintf("%s%v.%d.", namePrefix, owner, sequence.Add(1)),
		names:  make(map[string]bool),
	}, nil
}

// Start is [New] for a test or benchmark, which it skips where there can be no
// lab; the lab is closed when t ends.
func Start(t testing.TB) *Lab {
	t.Helper()
	if err := Available(); err != nil {
		t.Skip(err)
	}
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// Close kills every process in the lab's namespaces, and removes them with all
// their interfaces. It is idempotent; the lab is of no use afterwards.
func (l *Lab) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	var errs []error
	for _, k := range l.links {
		errs = append(errs, k.emulator.Close())
	}
	names := make([]string, len(l.spaces))
	for i, ns := range l.spaces {
		names[i] = ns.name
	}
	errs = append(errs, killWithin(names))
	for _, p := range l.processes {
		errs = append(errs, p.Kill()) // for the wait: it no longer writes to its files then
	}
	for _, ns := range l.spaces {
		errs = append(errs, ns.remove())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close lab: %w", err)
	}
	return nil
}

// addNamespace makes a namespace for a carrier or a host of this name. The
// caller holds mu.
func (l *Lab) addNamespace(name string) (*namespace, error) {
	switch {
	case l.closed:
		return nil, fmt.Errorf("%w: the lab is closed", shoal.ErrConflict)
	case !nameForm.MatchString(name):
		return nil, fmt.Errorf("name %q: %w: want lower-case letters, digits and dashes", name, shoal.ErrInvalid)
	case l.names[name]:
		return nil, fmt.Errorf("name %q: %w: taken", name, shoal.ErrConflict)
	}
	ns, err := newNamespace(l.prefix + name)
	if err != nil {
		return nil, err
	}
	l.names[name] = true
	l.spaces = append(l.spaces, ns)
	return ns, nil
}

// network is the addresses of the i-th carrier: a /24 within 198.18.0.0/15.
func network(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{198, byte(18 + i/256), byte(i), 0}), 24)
}

// inNetwork is the address with this last byte.
func inNetwork(p netip.Prefix, last int) netip.Addr {
	b := p.Addr().As4()
	b[3] = byte(last)
	return netip.AddrFrom4(b)
}

const (
	maxCarriers = 511
	maxHosts    = 253 // of a carrier: without network, router and broadcast address
)
