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

// with is r with the counters of a session on top; nil: none.
func (r record) with(s Session) record {
	if s == nil {
		return r
	}
	st := s.Stats()
	r.Bytes = add(r.Bytes, tapi.Bytes{
		Origin: st.Bytes.Origin, Peers: st.Bytes.Peers, CrossCarrier: st.Bytes.CrossCarrier,
		Upstream: st.Bytes.Upstream, Wasted: st.Bytes.Wasted,
	})
	r.Faults = addFaults(r.Faults, slices.Concat(peerFaults(st.Faults), s.Upstreams()))
	r.Why = addWhy(r.Why, s.Why())
	return r
}

func addWhy(a, b tapi.Why) tapi.Why {
	return tapi.Why{
		Active: a.Active + b.Active, NoPeer: a.NoPeer + b.NoPeer, SlowPeer: a.SlowPeer + b.SlowPeer,
		Lease: a.Lease + b.Lease, Upstream: a.Upstream + b.Upstream, Disk: a.Disk + b.Disk, Limit: a.Limit + b.Limit,
	}
}

func add(a, b tapi.Bytes) tapi.Bytes {
	return tapi.Bytes{
		Origin: a.Origin + b.Origin, Peers: a.Peers + b.Peers, CrossCarrier: a.CrossCarrier + b.CrossCarrier,
		Upstream: a.Upstream + b.Upstream, Wasted: a.Wasted + b.Wasted,
	}
}

// peerFaults are a swarm's faults as the tracker takes them.
func peerFaults(faults []swarm.Fault) (out []tapi.Fault) {
	for _, f := range faults {
		if _, err := shoal.ParseNodeID(string(f.Peer)); err != nil {
			continue
		}
		name := f.Name
		if tapi.CheckName(name) != nil {
			name = "" // peers name themselves: what no tracker would accept is dropped
		}
		out = append(out, tapi.Fault{Peer: f.Peer, Name: name, Kind: string(f.Kind), Count: f.Count})
	}
	return out
}

// addFaults adds up the faults by who did them and kind, those with the highest
// counts first, as many as a report may carry. Of reasons the newest stays.
func addFaults(old, more []tapi.Fault) []tapi.Fault {
	if len(more) == 0 {
		return old
	}
	sum := slices.Clone(old)
	for _, f := range more {
		same := func(o tapi.Fault) bool {
			return o.Kind == f.Kind && o.Peer == f.Peer && (f.Peer != "" || o.Name == f.Name)
		}
		if i := slices.IndexFunc(sum, same); i >= 0 {
			sum[i].Count += f.Count
			sum[i].Reason = f.Reason
			continue
		}
		sum = append(sum, f)
	}
	slices.SortFunc(sum, func(a, b tapi.Fault) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Peer, b.Peer), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
	})
	return sum[:min(len(sum), tapi.MaxFaults)]
}
