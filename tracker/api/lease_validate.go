package api

import (
	"strings"

	"github.com/shoal-cdn/shoal"
)

// CheckLeaseID checks the form of a lease's ID. The error is of kind [shoal.ErrInvalid].
func CheckLeaseID(id string) error {
	if !isToken(id, maxID) {
		return invalid("lease %s: want 1 to %d letters, digits, dots, underscores or hyphens, a letter or digit first", quote(id), maxID)
	}
	return nil
}

func (w Why) validate() error {
	for _, s := range []float64{w.Queued, w.Active, w.NoPeer, w.SlowPeer, w.Lease, w.Upstream, w.Disk, w.Limit} {
		if !(s >= 0 && s <= maxSeconds) { // NaN neither
			return invalid("account of its time: %v seconds", s)
		}
	}
	return nil
}

// Validate checks a request for a lease against the protocol's bounds. The
// error is of kind [shoal.ErrInvalid].
func (r *LeaseRequest) Validate() error {
	if _, err := shoal.ParseNodeID(string(r.Node)); err != nil {
		return err
	}
	if !isToken(r.Session, maxID) {
		return invalid("session %s", quote(r.Session))
	}
	if r.Task != "" {
		if err := CheckTaskID(r.Task); err != nil {
			return err
		}
	}
	switch r.Reason {
	case NoPeers, SlowPeers, Stalled, Lacking, CrossCarrier, Unreachable:
	default:
		return invalid("reason %s for a lease", quote(string(r.Reason)))
	}
	if r.Need < 0 || r.Used < 0 {
		return invalid("%d bytes needed, %d used", r.Need, r.Used)
	}
	if len(r.Want) > MaxWanted {
		return invalid("%d runs of pieces wanted: want at most %d", len(r.Want), MaxWanted)
	}
	for _, w := range r.Want {
		if w.First < 0 || w.Count <= 0 || w.First > shoal.MaxPieces-w.Count {
			return invalid("%d pieces wanted from %d on: no content has such", w.Count, w.First)
		}
	}
	if len(r.Excluded) > MaxBenched {
		return invalid("%d upstreams excluded: want at most %d", len(r.Excluded), MaxBenched)
	}
	for i := range r.Excluded {
		b := &r.Excluded[i]
		if len(b.Upstream) > shoal.MaxWebSeedLen || !printable(b.Upstream) {
			return invalid("excluded upstream %s", quote(b.Upstream))
		}
		b.Reason = cut(strings.ToValidUTF8(b.Reason, "\uFFFD"), maxReason)
	}
	if r.Lease != "" {
		return CheckLeaseID(r.Lease)
	}
	return nil
}

// Validate checks a task's limits. The error is of kind [shoal.ErrInvalid].
func (l Limits) Validate() error {
	check := func(where string, copies float64, rate shoal.Rate) error {
		if !(copies >= 0 && copies <= maxCopies) || rate < 0 {
			return invalid("limits%s: %v copies at %d bytes/s: want 0 or more, and at most %g copies", where, copies, rate, float64(maxCopies))
		}
		return nil
	}
	if err := check("", l.EgressCopies, l.EgressRate); err != nil {
		return err
	}
	if len(l.Carriers) > MaxCarriers {
		return invalid("limits of %d carriers: want at most %d", len(l.Carriers), MaxCarriers)
	}
	for carrier, c := range l.Carriers {
		if len(carrier) > maxLabel || !printable(carrier) {
			return invalid("carrier %s: want at most %d printable bytes", quote(carrier), maxLabel)
		}
		if err := check(" of carrier "+quote(carrier), c.EgressCopies, c.EgressRate); err != nil {
			return err
		}
	}
	return nil
}
