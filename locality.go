package shoal

// Locality says where a node stands. Empty fields are unknown, and two
// unknowns are never the same place.
type Locality struct {
	Carrier string `json:"carrier,omitempty"` // the network operator, e.g. "AS4134"
	Region  string `json:"region,omitempty"`
	Site    string `json:"site,omitempty"` // a data centre or a LAN
}

// Nearness orders pairs of places; a smaller value is nearer (M4).
type Nearness int

const (
	SameSite Nearness = iota
	SameRegionAndCarrier
	SameCarrier
	Elsewhere
)

// Nearness compares two places. A site is only the same within one carrier
// and region, since operators reuse site names; there both may be unknown.
func (l Locality) Nearness(o Locality) Nearness {
	carrier := same(l.Carrier, o.Carrier)
	region := same(l.Region, o.Region)
	switch {
	case same(l.Site, o.Site) && l.Carrier == o.Carrier && l.Region == o.Region:
		return SameSite
	case carrier && region:
		return SameRegionAndCarrier
	case carrier:
		return SameCarrier
	}
	return Elsewhere
}

// CrossCarrier reports whether both carriers are known and differ.
func (l Locality) CrossCarrier(o Locality) bool {
	return l.Carrier != "" && o.Carrier != "" && l.Carrier != o.Carrier
}

func same(a, b string) bool { return a != "" && a == b }
