package lan

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/shoal-cdn/shoal"
)

// lsdFirstDelay is when the first announce is sent, at the earliest.
const lsdFirstDelay = 5 * time.Second

// announceAll announces what is here to BitTorrent clients.
func (s *Service) announceAll(ctx context.Context) {
	schedule := make(lsdSchedule)
	timer := time.NewTimer(lsdFirstDelay + rand.N(lsdFirstDelay))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		timer.Reset(lsdInterval)
		s.announce(schedule.next(time.Now(), s.cfg.Contents()))
	}
}

func (s *Service) announce(ids []shoal.ContentID) {
	s.mu.Lock()
	use, own := s.links, s.engine.endpoints
	s.mu.Unlock()
	a := lsdAnnounce{cookie: s.cookie}
	for _, e := range own {
		if e.over == tcp {
			a.port = e.at.Port()
			break
		}
	}
	if len(ids) == 0 || a.port == 0 {
		return
	}
	for _, id := range ids {
		a.contents = append(a.contents, id.Truncated())
	}
	for _, t := range plan(use, lsdPort) {
		switch t.to.Addr() {
		case group4:
			t.to = netip.AddrPortFrom(lsdGroup4, lsdPort)
		case group6:
			t.to = netip.AddrPortFrom(lsdGroup6, lsdPort)
		default:
			continue // BEP 14 knows no broadcast
		}
		s.sent(s.sockets.sendAll(a.append(nil, t.to.Addr()), t), t.to)
	}
}

// receiveLSD takes what others announce as a hint to ask sooner.
func (s *Service) receiveLSD(b []byte, from netip.AddrPort) {
	a, err := decodeLSD(b)
	if err != nil || a.cookie == s.cookie {
		return
	}
	s.mu.Lock()
	now := time.Now()
	if s.engine.admit(from, now) {
		for _, id := range a.contents {
			s.engine.hint(id, now)
		}
	}
	s.mu.Unlock()
	s.rouse()
}
