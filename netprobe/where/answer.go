package where

import (
	"cmp"
	"iter"
	"net/netip"

	"github.com/shoal-cdn/shoal"
)

// Source is a kind of knowledge about addresses.
type Source string

const (
	Labels Source = "labels" // what the node says of itself
	Places Source = "places" // the operator's table
	GeoIP  Source = "geoip"  // a [Database]
)

// Step is what one source says of an address.
type Step struct {
	Source Source
	File   string       // "" for labels
	Prefix netip.Prefix // the entry that matched; the zero Prefix: none did, or the source has none
	shoal.Locality
	Used    bool   // some of it is in the answer
	Problem string // why the source could not answer, or answers from an older file
}

// Answer is where an address is. Steps has every source asked, in their order.
type Answer struct {
	Addr netip.Addr
	shoal.Locality
	By    By
	Steps []Step
}

// By names the sources of a locality's parts; "" where a part is unknown.
type By struct{ Carrier, Region, Site Source }

// collect makes an answer of the steps.
func collect(addr netip.Addr, steps iter.Seq[Step]) Answer {
	a := Answer{Addr: addr}
	for s := range steps {
		for _, part := range []struct {
			known *string
			by    *Source
			said  string
		}{
			{&a.Carrier, &a.By.Carrier, s.Carrier},
			{&a.Region, &a.By.Region, s.Region},
			{&a.Site, &a.By.Site, s.Site},
		} {
			if *part.known == "" && part.said != "" {
				*part.known, *part.by, s.Used = part.said, s.Source, true
			}
		}
		a.Steps = append(a.Steps, s)
	}
	return a
}

// merge is the locality of [collect] without its reasons.
func merge(steps iter.Seq[Step]) shoal.Locality {
	var l shoal.Locality
	for s := range steps {
		l.Carrier, l.Region, l.Site = cmp.Or(l.Carrier, s.Carrier), cmp.Or(l.Region, s.Region), cmp.Or(l.Site, s.Site)
		if l.Carrier != "" && l.Region != "" && l.Site != "" {
			break
		}
	}
	return l
}
