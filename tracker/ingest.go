package tracker

import (
	"cmp"
	"context"
	"net/netip"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
	"github.com/shoal-cdn/shoal/tracker/registry"
)

// ingestIn is who asks: by what it says of its place, and by its address.
type ingestIn struct {
	Carrier string `query:"carrier" maxLength:"64" doc:"the asker's, where it knows"`
	Region  string `query:"region" maxLength:"64"`
	Site    string `query:"site" maxLength:"64"`
	source  netip.Addr
}

// Resolve implements [huma.Resolver].
func (in *ingestIn) Resolve(ctx huma.Context) []error {
	from, _ := netip.ParseAddrPort(ctx.RemoteAddr()) // not known: no source
	in.source = from.Addr().Unmap().WithZone("")
	return nil
}

// getIngest lists the nodes that take uploads (M9).
func (t *Tracker) getIngest(_ context.Context, in *ingestIn) (*body[[]api.IngestServer], error) {
	place := t.where.Locate(shoal.Locality{Carrier: in.Carrier, Region: in.Region, Site: in.Site}, in.source)
	return answerList(ingestServers(t.nodes.Nodes(), place, in.source), nil)
}

// ingestServers picks the nodes that take uploads now, the nearest to an asker first: by
// place, and where that tells nothing, by how much of an address they share.
func ingestServers(nodes []api.Node, place shoal.Locality, from netip.Addr) []api.IngestServer {
	type candidate struct {
		api.IngestServer
		nearness shoal.Nearness
		shared   int
	}
	var found []candidate
	for _, n := range nodes {
		if !n.Alive || !n.Ingest || len(n.Gateway) == 0 {
			continue
		}
		found = append(found, candidate{
			api.IngestServer{ID: n.ID, Name: n.Name, Gateway: n.Gateway, Down: n.Down, Locality: n.Locality},
			place.Nearness(n.Locality), sharedBits(from, registry.IPs(n.Addrs)),
		})
	}
	slices.SortFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.nearness, b.nearness), cmp.Compare(b.shared, a.shared), cmp.Compare(a.Name, b.Name))
	})
	list := make([]api.IngestServer, 0, len(found))
	for _, c := range found[:min(len(found), api.MaxIngest)] {
		list = append(list, c.IngestServer)
	}
	return list
}

// sharedBits is the longest prefix that an address has in common with one of others of its family.
func sharedBits(a netip.Addr, others []netip.Addr) int {
	most := 0
	for _, o := range others {
		if a.BitLen() != o.BitLen() {
			continue
		}
		for bits := a.BitLen(); bits > most; bits-- {
			p, err := a.Prefix(bits)
			if err == nil && p.Contains(o) {
				most = bits
			}
		}
	}
	return most
}
