package library

import (
	"cmp"
	"slices"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// record is what a unit keeps over a restart beside what the store knows.
type record struct {
	Dest   string       `json:"dest,omitempty"`   // as asked for; "": the content's name
	Wanted bool         `json:"wanted,omitempty"` // an operator asked for it, and it is not complete
	Pulled bool         `json:"pulled,omitempty"` // nobody asked for it but readers
	Size   int64        `json:"size,omitempty"`   // bytes of a pulled content, for while its manifest is not known
	Error  string       `json:"error,omitempty"`  // why the last attempt ended
	Bytes  tapi.Bytes   `json:"bytes"`
	Faults []tapi.Fault `json:"faults,omitempty"`
	Why    tapi.Why     `json:"why,omitzero"`
}

// add is r's counters with those of a session on top.
func (r record) add(s swarm.Stats) (tapi.Bytes, []tapi.Fault) {
	b := add(r.Bytes, tapi.Bytes{
		Origin: s.Bytes.Origin, Peers: s.Bytes.Peers, CrossCarrier: s.Bytes.CrossCarrier,
		Upstream: s.Bytes.Upstream, Wasted: s.Bytes.Wasted,
	})
	return b, addFaults(r.Faults, s.Faults)
}

// addWhy is r's account of time with a session's on top.
func (r record) addWhy(s Session) tapi.Why {
	w := r.Why
	if s == nil {
		return w
	}
	more := s.Why()
	return tapi.Why{
		Active: w.Active + more.Active, NoPeer: w.NoPeer + more.NoPeer, SlowPeer: w.SlowPeer + more.SlowPeer,
		Lease: w.Lease + more.Lease, Upstream: w.Upstream + more.Upstream, Disk: w.Disk + more.Disk, Limit: w.Limit + more.Limit,
	}
}

func add(a, b tapi.Bytes) tapi.Bytes {
	return tapi.Bytes{
		Origin: a.Origin + b.Origin, Peers: a.Peers + b.Peers, CrossCarrier: a.CrossCarrier + b.CrossCarrier,
		Upstream: a.Upstream + b.Upstream, Wasted: a.Wasted + b.Wasted,
	}
}

// addFaults adds up the faults by peer and kind, those with the highest
// counts first, as many as a report may carry.
func addFaults(old []tapi.Fault, more []swarm.Fault) []tapi.Fault {
	if len(more) == 0 {
		return old
	}
	sum := slices.Clone(old)
	for _, f := range more {
		if _, err := shoal.ParseNodeID(string(f.Peer)); err != nil {
			continue
		}
		same := func(o tapi.Fault) bool { return o.Peer == f.Peer && o.Kind == string(f.Kind) }
		if i := slices.IndexFunc(sum, same); i >= 0 {
			sum[i].Count += f.Count
			continue
		}
		name := f.Name
		if tapi.CheckName(name) != nil {
			name = "" // peers name themselves: what no tracker would accept is dropped
		}
		sum = append(sum, tapi.Fault{Peer: f.Peer, Name: name, Kind: string(f.Kind), Count: f.Count})
	}
	slices.SortFunc(sum, func(a, b tapi.Fault) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Peer, b.Peer), cmp.Compare(a.Kind, b.Kind))
	})
	return sum[:min(len(sum), tapi.MaxFaults)]
}
