package library

import "github.com/shoal-cdn/shoal"

// Manifest is a content's manifest; nil where it is not known here.
func (l *Library) Manifest(id shoal.ContentID) *shoal.Manifest {
	if u := l.find(id); u != nil {
		return u.known()
	}
	return nil
}

// Holds says how many pieces of a content peers can get from here now, and how many
// it has; not ok where it is in no swarm.
func (l *Library) Holds(id shoal.ContentID) (have, total int, ok bool) {
	u := l.find(id)
	if u == nil {
		return 0, 0, false
	}
	h, _, ok := u.holding()
	return h.Pieces.Count, h.Pieces.Total, ok
}

// Lacking lists the contents that are in a swarm and lack pieces.
func (l *Library) Lacking() []shoal.ContentID {
	var out []shoal.ContentID
	for _, u := range l.all() {
		if u.lacking() {
			out = append(out, u.id)
		}
	}
	return out
}

func (u *unit) lacking() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.session != nil && !u.complete && !u.inPlace
}
