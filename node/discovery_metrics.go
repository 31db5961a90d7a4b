package node

import "github.com/prometheus/client_golang/prometheus"

var (
	descKnown      = describe("known_peers", "Last-known peers, who are tried while no tracker answers.")
	descDHT        = describe("dht_on", "1 while the node takes part in the DHT because no tracker answers, else 0.")
	descDHTPeers   = describe("dht_peers", "Nodes in the DHT's routing table.")
	descDHTRecords = describe("dht_records", "Records of who has a content, kept for the DHT.")
	descDHTLookups = describe("dht_lookups_total", "Lookups of contents in the DHT since the start.")
	descDHTFound   = describe("dht_found_total", "Nodes that lookups in the DHT have found since the start.")
	descDHTOffers  = describe("dht_offers_total", "Contents offered in the DHT since the start, renewals included, by whether others took the record.", "result")
)

// collectDiscovery reads how peers are found without a tracker.
func (n *Node) collectDiscovery(counter, gauge func(d *prometheus.Desc, v float64, labels ...string)) {
	gauge(descKnown, float64(n.peers.Len()))
	if n.dht == nil {
		return
	}
	s, on := n.dht.Status(), 0.0
	if s.On {
		on = 1
	}
	gauge(descDHT, on)
	gauge(descDHTPeers, float64(s.Peers))
	gauge(descDHTRecords, float64(s.Records))
	counter(descDHTLookups, float64(s.Lookups))
	counter(descDHTFound, float64(s.Found))
	counter(descDHTOffers, float64(s.Offers), "taken")
	counter(descDHTOffers, float64(s.Refused), "refused")
}
