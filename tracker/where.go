package tracker

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/netprobe/where"
	"github.com/shoal-cdn/shoal/tracker/api"
	"github.com/shoal-cdn/shoal/tracker/registry"
)

// locate completes a node's locality, which so far is what it says of itself, by
// where its addresses are: the first of which the carrier is known, or else the
// first of which anything is. Its own addresses come before the one that the
// announce came from, which may be a proxy's.
func (t *Tracker) locate(n *api.NodeInfo, source netip.Addr) {
	labels := n.Locality
	n.Place = api.Place{Labels: labels, Source: source.Unmap().WithZone("")}
	ips := registry.IPs(n.Addrs)
	found := labels
	for _, ip := range append(slices.Clone(ips), n.Place.Source) {
		l := t.where.Locate(labels, ip)
		if found == labels || found.Carrier == "" && l.Carrier != "" {
			found = l
		}
	}
	n.Locality = found
	for _, ip := range ips {
		if l := t.where.Locate(labels, ip); l != labels && l != found {
			n.Place.Homes = append(n.Place.Homes, api.Home{Addr: ip, Locality: l})
		}
	}
}

type whereIn struct {
	Addr string `query:"addr" required:"true" maxLength:"64" doc:"an IP address"`
}

// getWhere explains where an address is, or would be for a node that has it.
func (t *Tracker) getWhere(_ context.Context, in *whereIn) (*body[api.Where], error) {
	ip, err := netip.ParseAddr(in.Addr)
	if err != nil {
		return nil, fmt.Errorf("where is %.80q: %w: no IP address", in.Addr, shoal.ErrInvalid)
	}
	ip = ip.Unmap().WithZone("")
	name, labels := "", shoal.Locality{}
	if n, ok := t.nodes.At(ip); ok {
		name, labels = n.Name, n.Place.Labels
	}
	w := Explain(t.where.Explain(labels, ip))
	w.Node = name
	return answer(w, nil)
}

// Explain is an answer as the API tells it.
func Explain(a where.Answer) api.Where {
	w := api.Where{
		Addr: a.Addr, Locality: a.Locality, Steps: []api.WhereStep{},
		Sources: api.WhereSources{Carrier: string(a.By.Carrier), Region: string(a.By.Region), Site: string(a.By.Site)},
	}
	for _, s := range a.Steps {
		w.Steps = append(w.Steps, api.WhereStep{
			Source: string(s.Source), File: s.File, Prefix: s.Prefix, Locality: s.Locality, Used: s.Used, Problem: s.Problem,
		})
	}
	return w
}
