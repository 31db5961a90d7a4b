package supply

import (
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// When upstreams help (M8): what the swarm looks like, for how long, and what
// is asked for then.
func TestPolicy(t *testing.T) {
	const floor = 100_000
	near := view{known: 4, knownNear: 2, peers: 4, useful: 4, near: 2}
	type span struct {
		v    view
		rate int64 // bytes/s from peers
		d    time.Duration
	}
	for name, c := range map[string]struct {
		spans []span
		want  api.LeaseReason
	}{
		"nobody, for a moment":               {[]span{{view{}, 0, 300 * time.Millisecond}}, ""},
		"nobody":                             {[]span{{view{}, 0, time.Second}}, api.NoPeers},
		"peers that have nothing":            {[]span{{view{known: 3, knownNear: 3, peers: 3}, 0, time.Second}}, api.NoPeers},
		"pieces under way across, a moment":  {[]span{{view{known: 3, knownNear: 2, peers: 3}, 0, time.Second}}, ""},
		"pieces under way across, too long":  {[]span{{view{known: 3, knownNear: 2, peers: 3}, 0, 3 * time.Second}}, api.NoPeers},
		"near members get pieces across":     {[]span{{view{known: 3, knownNear: 2, peers: 3, useful: 1}, 9 * floor, 4 * time.Second}}, ""},
		"only far peers, others to come":     {[]span{{view{shared: true, known: 1, peers: 1, useful: 1}, 9 * floor, 300 * time.Millisecond}}, ""},
		"only far peers, no others came":     {[]span{{view{shared: true, known: 1, peers: 1, useful: 1}, 9 * floor, time.Second}}, api.CrossCarrier},
		"near members get none":              {[]span{{view{known: 3, knownNear: 2, peers: 3, useful: 1}, 9 * floor, 6 * time.Second}}, api.CrossCarrier},
		"near peers at a good rate":          {[]span{{near, 2 * floor, time.Minute}}, ""},
		"near peers that send nothing":       {[]span{{near, 0, 4 * time.Second}}, api.Stalled},
		"near peers at half the floor":       {[]span{{near, floor / 2, 6 * time.Second}}, api.SlowPeers},
		"slow only just now":                 {[]span{{near, 2 * floor, 10 * time.Second}, {near, floor / 2, 2 * time.Second}}, ""},
		"only across carriers":               {[]span{{view{known: 1, peers: 1, useful: 1}, 9 * floor, time.Second}}, api.CrossCarrier},
		"pieces nobody has, a while":         {[]span{{view{known: 4, peers: 4, useful: 4, near: 4, lacking: 7}, 9 * floor, 3 * time.Second}}, api.Lacking},
		"pieces nobody has, for a moment":    {[]span{{view{known: 4, peers: 4, useful: 4, near: 4, lacking: 7}, 9 * floor, time.Second}}, ""},
		"named peers, none of them in reach": {[]span{{view{known: 2}, 0, 4 * time.Second}}, api.Unreachable},
		"a reader, nobody named yet":         {[]span{{view{reader: true}, 0, 200 * time.Millisecond}}, api.NoPeers},
		"a reader, peers to connect to":      {[]span{{view{reader: true, known: 1, knownNear: 1}, 0, 200 * time.Millisecond}}, ""},
		"a reader waits, for a moment":       {[]span{{awaited(near, 900*time.Millisecond), 9 * floor, time.Minute}}, ""},
		"a reader waits too long":            {[]span{{awaited(near, readerWait), 9 * floor, time.Second}}, api.Lacking},
		"they came back":                     {[]span{{view{}, 0, time.Minute}, {near, 2 * floor, 6 * time.Second}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := policy{floor: floor}
			now := time.Unix(0, 0)
			var got api.LeaseReason
			var bytes float64
			for _, s := range c.spans {
				for range int(s.d / tickInterval) {
					now = now.Add(tickInterval)
					bytes += float64(s.rate) * tickInterval.Seconds()
					v := s.v
					v.swarm = int64(bytes)
					got = p.observe(now, v)
				}
			}
			if got != c.want {
				t.Errorf("reason %q, want %q", got, c.want)
			}
		})
	}
}

func awaited(v view, waited time.Duration) view {
	v.reader, v.waited = true, waited
	return v
}

// A node that has just been helped asks for more without waiting anew, and has
// itself pushed to only now and then.
func TestPolicyRemembers(t *testing.T) {
	p := policy{floor: 1}
	now := time.Unix(0, 0)
	p.observe(now, view{known: 1, peers: 1, useful: 1, near: 1, swarm: 1})
	p.helping(now)
	now = now.Add(tickInterval)
	if got := p.observe(now, view{known: 1, peers: 1, useful: 1, near: 1, lacking: 1, swarm: 2}); got != api.Lacking {
		t.Errorf("right after help: %q", got)
	}
	p = policy{floor: 1}
	p.observe(now, view{known: 1})
	now = now.Add(reachWait)
	if got := p.observe(now, view{known: 1}); got != api.Unreachable {
		t.Errorf("out of reach: %q", got)
	}
	p.asked(now)
	if got := p.observe(now.Add(time.Second), view{known: 1}); got != api.NoPeers {
		t.Errorf("a second after it was asked for: %q", got)
	}
	if got := p.observe(now.Add(pushAgain), view{known: 1}); got != api.Unreachable {
		t.Errorf("long after it was asked for: %q", got)
	}
}

// Every second has one cause (B2).
func TestAccount(t *testing.T) {
	const down = shoal.Rate(1000)
	for name, c := range map[string]struct {
		rate int64
		c    circumstances
		want api.Why
	}{
		"full":                     {900, circumstances{useful: 1}, api.Why{Active: 1}},
		"full, from upstreams too": {900, circumstances{leased: true}, api.Why{Active: 1}},
		"nobody":                   {0, circumstances{}, api.Why{NoPeer: 1}},
		"slow":                     {100, circumstances{useful: 1}, api.Why{SlowPeer: 1}},
		"waiting for a lease":      {0, circumstances{waiting: true}, api.Why{Lease: 1}},
		"slow upstream":            {100, circumstances{leased: true}, api.Why{Upstream: 1}},
		"busy writers":             {100, circumstances{leased: true, disk: time.Hour}, api.Why{Disk: 1}},
		"lease's rate":             {190, circumstances{leased: true, cap: 200}, api.Why{Limit: 1}},
	} {
		a := account{down: down}
		now := time.Unix(0, 0)
		a.observe(now, c.c)
		for range 5 {
			now = now.Add(accountEvery)
			c.c.disk *= 2
			c.c.bytes += c.rate / 5
			a.observe(now, c.c)
		}
		a.why.Active, a.why.NoPeer, a.why.SlowPeer = round(a.why.Active), round(a.why.NoPeer), round(a.why.SlowPeer)
		a.why.Lease, a.why.Upstream, a.why.Limit = round(a.why.Lease), round(a.why.Upstream), round(a.why.Limit)
		if a.why != c.want {
			t.Errorf("%s: %+v, want %+v", name, a.why, c.want)
		}
	}
}

func round(s float64) float64 { return float64(int(s*1000+0.5)) / 1000 }
