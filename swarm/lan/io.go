package lan

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"
)

// brokenPause is the wait after a socket failed to receive.
const brokenPause = time.Second

// do calls the engine, and then does what it decided.
func (s *Service) do(call func(now time.Time)) {
	s.mu.Lock()
	call(time.Now())
	out, found := s.engine.take()
	targets := s.targets
	for _, d := range found {
		for f := range s.finds[d.content] {
			select {
			case f.peers <- d.peer:
			default: // whoever is so slow has plenty of peers
			}
		}
	}
	s.mu.Unlock()
	for _, o := range out {
		b := o.msg.seal(s.key)
		if o.to.IsValid() {
			s.sent(s.sockets.send(b, o.to), o.to)
			continue
		}
		for _, t := range targets {
			s.sent(s.sockets.sendAll(b, t), t.to)
		}
	}
}

// sent notes a failure: an interface may have gone a moment ago, and another way
// may do.
func (s *Service) sent(err error, to netip.AddrPort) {
	if err != nil && !errors.Is(err, net.ErrClosed) {
		s.cfg.Log.Debug("LAN: could not send", "to", to, "err", err)
	}
}

// read hands on what a socket receives.
func (s *Service) read(ctx context.Context, c *net.UDPConn, handle func([]byte, netip.AddrPort)) {
	buf := make([]byte, max(MaxMessage, lsdMax)+1)
	for {
		n, from, err := c.ReadFromUDPAddrPort(buf)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			s.cfg.Log.Debug("LAN: could not receive", "err", err)
			pause := time.NewTimer(brokenPause)
			select {
			case <-pause.C:
			case <-ctx.Done():
			}
			pause.Stop()
		default:
			handle(buf[:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port()))
		}
	}
}

func (s *Service) receive(b []byte, from netip.AddrPort) {
	rouse := false
	s.do(func(now time.Time) {
		if !s.engine.admit(from, now) {
			return
		}
		m, err := decode(b)
		if err != nil {
			s.cfg.Log.Debug("LAN: drop a datagram", "from", from, "err", err)
			return
		}
		waiting := len(s.engine.pending)
		s.engine.receive(&m, from, func() bool { return m.verify(b) }, now)
		rouse = len(s.engine.pending) > waiting
	})
	if rouse {
		s.rouse()
	}
}
