//go:build linux

package linkem

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// MTU is the largest packet that a device may be set to.
	MTU = 1500
	// batch bounds the packets read from a device before due ones are
	// delivered: under a flood neither side may wait for the other.
	batch = 64
)

// Link runs two pipes between two devices. Its methods are safe for
// concurrent use.
type Link struct {
	devices [2]*Device
	wake    int // eventfd: the loop has to look again
	done    chan struct{}
	err     error // of the loop; readable once done is closed

	mu     sync.Mutex // guards the fields below
	epoch  time.Time
	pipes  [2]*Pipe // pipes[i] leads from devices[i] to devices[1-i]
	free   [][]byte // buffers for packets, each of MTU bytes
	closed bool
}

// NewLink starts to move packets: those from a to b follow ab, those from b to
// a follow ba. Equal seeds still lose different packets in each direction. The
// link owns the devices from then on, on an error too.
func NewLink(a, b *Device, ab, ba Config) (*Link, error) {
	err := errors.Join(ab.Validate(), ba.Validate())
	wake := -1
	if err == nil {
		wake, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start link: %w", err), a.Close(), b.Close())
	}
	ba.Seed = ^ba.Seed
	l := &Link{
		devices: [2]*Device{a, b},
		wake:    wake,
		done:    make(chan struct{}),
		epoch:   time.Now(),
		pipes:   [2]*Pipe{NewPipe(ab), NewPipe(ba)},
	}
	go l.run()
	return l, nil
}

// SetConfig changes both directions from now on; see [Pipe.SetConfig].
// The error is of kind [shoal.ErrInvalid], and then nothing changes.
func (l *Link) SetConfig(ab, ba Config) error {
	if err := errors.Join(ab.Validate(), ba.Validate()); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Since(l.epoch)
	l.pipes[0].SetConfig(now, ab)
	l.pipes[1].SetConfig(now, ba)
	return l.signal()
}

// Counters returns the counts of the directions from a to b and from b to a.
func (l *Link) Counters() (ab, ba Counters) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pipes[0].Counters(), l.pipes[1].Counters()
}

// Close stops the link, discards what is under way and removes the devices. It
// returns the error that had stopped the link before, if any.
func (l *Link) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	err := l.signal()
	l.mu.Unlock()
	if err != nil {
		return err
	}
	<-l.done
	return errors.Join(l.err, l.devices[0].Close(), l.devices[1].Close(), unix.Close(l.wake))
}

// signal wakes the loop. The caller holds mu.
func (l *Link) signal() error {
	_, err := unix.Write(l.wake, []byte{0, 0, 0, 0, 0, 0, 0, 1})
	if err != nil && !errors.Is(err, unix.EAGAIN) { // EAGAIN: it is signalled to the brim
		return fmt.Errorf("wake link: %w", err)
	}
	return nil
}

func (l *Link) run() {
	defer close(l.done)
	for {
		wait, goOn := l.pass()
		if !goOn {
			return
		}
		if err := l.poll(wait); err != nil {
			l.err = err
			return
		}
	}
}

// pass takes in what the devices have, delivers what is due, and returns how
// long there is nothing else to do; negative: until something happens.
func (l *Link) pass() (wait time.Duration, goOn bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return 0, false
	}
	for i := range l.pipes {
		if err := errors.Join(l.takeIn(i), l.deliver(i)); err != nil {
			l.err = err
			return 0, false
		}
	}
	wait = -1
	now := time.Since(l.epoch)
	for _, p := range l.pipes {
		if at, ok := p.Next(); ok && (wait < 0 || at-now < wait) {
			wait = max(0, at-now)
		}
	}
	return wait, true
}

func (l *Link) takeIn(i int) error {
	for range batch {
		buf := l.buffer()
		n, err := l.devices[i].read(buf)
		if err != nil || n == 0 || !l.pipes[i].Send(time.Since(l.epoch), buf[:n]) {
			l.free = append(l.free, buf)
		}
		if err != nil || n == 0 {
			return err
		}
	}
	return nil
}

func (l *Link) deliver(i int) error {
	for now := time.Since(l.epoch); ; {
		data := l.pipes[i].Receive(now)
		if data == nil {
			return nil
		}
		err := l.devices[1-i].write(data)
		l.free = append(l.free, data[:MTU])
		if err != nil {
			return err
		}
	}
}

func (l *Link) buffer() []byte {
	if n := len(l.free); n > 0 {
		buf := l.free[n-1]
		l.free = l.free[:n-1]
		return buf
	}
	return make([]byte, MTU)
}

// poll waits until a device has a packet, the link is signalled, or the time
// is up. Its clock is finer than that of the runtime's timers, whose steps of
// a millisecond would turn a smooth flow into bursts.
func (l *Link) poll(wait time.Duration) error {
	var timeout *unix.Timespec
	if wait >= 0 {
		ts := unix.NsecToTimespec(int64(wait))
		timeout = &ts
	}
	fds := [...]unix.PollFd{
		{Fd: int32(l.devices[0].fd), Events: unix.POLLIN},
		{Fd: int32(l.devices[1].fd), Events: unix.POLLIN},
		{Fd: int32(l.wake), Events: unix.POLLIN},
	}
	_, err := unix.Ppoll(fds[:], timeout, nil)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("poll link: %w", err)
	}
	if fds[2].Revents != 0 {
		var count [8]byte
		if _, err := unix.Read(l.wake, count[:]); err != nil && !errors.Is(err, unix.EAGAIN) {
			return fmt.Errorf("poll link: %w", err)
		}
	}
	return nil
}
