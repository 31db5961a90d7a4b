//go:build linux

package lab

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// namespaceDir is where iproute2 keeps the named network namespaces.
const namespaceDir = "/run/netns"

// namespace is a named network namespace.
type namespace struct{ name string }

// newNamespace makes a namespace in which only the loopback is up, and which
// speaks IPv4 only: IPv6 would send its own packets through the counters.
func newNamespace(name string) (*namespace, error) {
	if err := run(nil, "ip", "netns", "add", name); err != nil {
		return nil, err
	}
	ns := &namespace{name}
	err := ns.do(func() error {
		return errors.Join(
			sysctl("ipv6/conf/all/disable_ipv6", "1"),
			sysctl("ipv6/conf/default/disable_ipv6", "1"))
	})
	if err == nil {
		err = ns.ip("link set lo up")
	}
	if err != nil {
		return nil, errors.Join(err, ns.remove())
	}
	return ns, nil
}

func (ns *namespace) path() string { return filepath.Join(namespaceDir, ns.name) }

func (ns *namespace) remove() error { return run(nil, "ip", "netns", "del", ns.name) }

// ip carries out commands of ip(8), one a line, within the namespace.
func (ns *namespace) ip(lines ...string) error {
	return run(lines, "ip", "-n", ns.name, "-batch", "-")
}

// tc carries out commands of tc(8), one a line, within the namespace.
func (ns *namespace) tc(lines ...string) error {
	return run(lines, "tc", "-n", ns.name, "-batch", "-")
}

// do runs f on a thread that is inside the namespace. Sockets and devices that
// f opens stay there; goroutines that it starts do not run there.
func (ns *namespace) do(f func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread()
		err, back := ns.within(f)
		if back {
			runtime.UnlockOSThread()
		} // else the thread ends with this goroutine
		result <- err
	}()
	return <-result
}

// within moves the calling thread into the namespace for f's duration, and
// reports whether it is back where it was.
func (ns *namespace) within(f func() error) (err error, back bool) {
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return fmt.Errorf("enter namespace %s: %w", ns.name, err), true
	}
	defer home.Close()
	there, err := os.Open(ns.path())
	if err != nil {
		return fmt.Errorf("enter namespace %s: %w", ns.name, err), true
	}
	defer there.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter namespace %s: %w", ns.name, err), true
	}
	err = f()
	return err, unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil
}

// sysctl sets a variable below net of the calling thread's namespace.
func sysctl(name, value string) error {
	return os.WriteFile(filepath.Join("/proc/sys/net", name), []byte(value), 0)
}

// run runs a command with these lines as its input. Its output is part of the
// error.
func run(input []string, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(strings.Join(input, "\n"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s %q: %w: %s", name, strings.Join(args, " "), input, err, bytes.TrimSpace(out))
	}
	return nil
}
