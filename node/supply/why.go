package supply

import (
	"math"
	"runtime"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// account says where a fetch's seconds went (B2). A stretch of time in which
// the node received at its full rate is active; any other has one cause.
type account struct {
	down shoal.Rate // the downlink's capacity; 0: unknown, the best rate seen stands for it
	best float64    // bytes/s
	at   time.Time
	last int64
	disk time.Duration
	why  api.Why
}

// accountEvery is how long a stretch of time is at least: bytes are counted when
// a block has come, so that shorter ones look like a rate of nothing or too much.
const accountEvery = 200 * time.Millisecond

// fade is which part of the best rate seen still stands for the downlink's capacity
// after accountEvery: one burst must not make all that follows look slow.
const fade = 0.99

// activeShare is which part of the full rate counts as all of it.
const activeShare = 0.8

// diskShare is which part of the time writers must be busy for the disk to be
// what holds things up.
const diskShare = 0.5

// circumstances are what else is known of a stretch of time.
type circumstances struct {
	bytes   int64 // received so far, from anywhere
	useful  int
	waiting bool          // for a lease, which was asked for or refused
	leased  bool          // an upstream is allowed
	cap     shoal.Rate    // what leases allow; 0: no bound
	disk    time.Duration // spent on writing so far, all writers together
}

// observe accounts for the time since the last call.
func (a *account) observe(now time.Time, c circumstances) {
	if a.at.IsZero() {
		a.at, a.last, a.disk = now, c.bytes, c.disk
		return
	}
	d := now.Sub(a.at).Seconds()
	if d < accountEvery.Seconds() {
		return
	}
	rate := float64(c.bytes-a.last) / d
	writing := (c.disk - a.disk).Seconds() / float64(runtime.GOMAXPROCS(0)) // as many writers as there are cores
	a.at, a.last, a.disk = now, c.bytes, c.disk
	full := float64(a.down)
	if full == 0 {
		a.best = max(a.best*math.Pow(fade, d/accountEvery.Seconds()), rate)
		full = a.best
	}
	switch {
	case rate > 0 && rate >= activeShare*full:
		a.why.Active += d
	case writing >= diskShare*d:
		a.why.Disk += d
	case c.leased && c.cap > 0 && rate >= activeShare*float64(c.cap):
		a.why.Limit += d
	case c.leased:
		a.why.Upstream += d
	case c.waiting:
		a.why.Lease += d
	case c.useful == 0:
		a.why.NoPeer += d
	default:
		a.why.SlowPeer += d
	}
}

// Why says where the time since Run began went.
func (s *Supply) Why() api.Why {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.why
}

// note keeps the account, and makes the snapshots.
func (s *Supply) note(now time.Time, st swarm.Stats, need api.LeaseReason) {
	c := circumstances{
		bytes:   st.Bytes.Origin + st.Bytes.Peers + st.Bytes.Upstream,
		useful:  st.Useful,
		waiting: need != "" && need != api.Lacking && s.tracker.asking(), // else peers send
		leased:  len(s.loans) > 0,
	}
	for _, l := range s.loans {
		c.cap += l.Rate
	}
	if s.cfg.Disk != nil {
		c.disk = s.cfg.Disk()
	}
	s.account.observe(now, c)
	s.mu.Lock()
	s.why = s.account.why
	s.mu.Unlock()
	s.tell()
}
