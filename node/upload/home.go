package upload

import (
	"time"

	"github.com/shoal-cdn/shoal"
)

// home is a server that holds a part of the upload.
type home struct {
	held int64
	seen time.Time // when it last said so
}

func (c Candidate) key() string {
	if c.Node != "" || len(c.URLs) == 0 {
		return string(c.Node)
	}
	return c.URLs[0]
}

// ways are the routes to try now, the best first: while a server that holds a part
// of the upload is worth waiting for, only that one.
func (r *run) ways(now time.Time) []route {
	routes := r.routes()
	r.mu.Lock()
	defer r.mu.Unlock()
	h, ok := r.homes[r.latest]
	if !ok {
		return routes
	}
	var own, others []route
	var speed shoal.Rate
	for _, rt := range routes {
		speed = max(speed, rt.up)
		if rt.candidate.key() == r.latest {
			own = append(own, rt)
		} else {
			others = append(others, rt)
		}
	}
	if now.Sub(h.seen) < loyalty(h.held, speed) {
		return own
	}
	return append(own, others...)
}

// holds notes what a server has of the upload.
func (r *run) holds(rt route, n int64) {
	r.mu.Lock()
	first := len(r.homes) == 0
	r.latest = rt.candidate.key()
	r.homes[r.latest] = home{n, time.Now()}
	r.mu.Unlock()
	if first {
		r.count(func(rep *Report) { rep.Had = n })
	}
	r.note(func(p *Progress) { p.Done = n })
}

// settled says that the server has n more bytes.
func (r *run) settled(n int64) {
	if n <= 0 {
		return
	}
	r.mu.Lock()
	h := r.homes[r.latest]
	h.held, h.seen, r.moved = h.held+n, time.Now(), time.Now()
	r.homes[r.latest] = h
	r.mu.Unlock()
	r.tally.settled(n)
}

// known reports whether a server is believed to know of the upload.
func (r *run) known(rt route) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.homes[rt.candidate.key()]
	return ok
}

// lacks is what a server does not have, as far as is known.
func (r *run) lacks(rt route) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.size() - r.homes[rt.candidate.key()].held
}

// leave ends the loyalty to the server that was sent to last.
func (r *run) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.latest = ""
}

func (r *run) forget(rt route) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.homes, rt.candidate.key())
}

func (r *run) lastMoved() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.moved
}
