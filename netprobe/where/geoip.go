package where

import (
	"fmt"
	"net/netip"

	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/shoal-cdn/shoal"
)

// Database is a MaxMind DB file in memory: of autonomous systems, countries,
// cities, or more than one of them. It never changes, so that it is safe for
// concurrent use.
type Database struct {
	reader *maxminddb.Reader
}

// record is what is read of an entry, under the names that GeoIP2, GeoLite2 and
// DB-IP files use.
type record struct {
	ASN     uint32 `maxminddb:"autonomous_system_number"`
	Country struct {
		ISO string `maxminddb:"iso_code"`
	} `maxminddb:"country"`
	Subdivisions []struct {
		ISO   string `maxminddb:"iso_code"`
		Names struct {
			English string `maxminddb:"en"`
		} `maxminddb:"names"`
	} `maxminddb:"subdivisions"`
}

// DecodeDatabase takes the bytes of a file, which it keeps. The error is of kind
// [shoal.ErrInvalid]. Entries are not checked before they are looked up.
func DecodeDatabase(data []byte) (*Database, error) {
	r, err := maxminddb.OpenBytes(data)
	if err != nil {
		return nil, fmt.Errorf("%w: no MaxMind DB: %w", shoal.ErrInvalid, err)
	}
	return &Database{r}, nil
}

// Type is the kind of database by its own word, such as "GeoLite2-ASN".
func (d *Database) Type() string { return d.reader.Metadata.DatabaseType }

// Lookup returns the entry that an address is in. An entry that can't be read
// is of kind [shoal.ErrCorrupt].
func (d *Database) Lookup(addr netip.Addr) (netip.Prefix, shoal.Locality, error) {
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() || addr.Is6() && d.reader.Metadata.IPVersion == 4 {
		return netip.Prefix{}, shoal.Locality{}, nil
	}
	found := d.reader.Lookup(addr)
	var r record
	if err := found.Decode(&r); err != nil {
		return netip.Prefix{}, shoal.Locality{}, fmt.Errorf("look up %s: %w: %w", addr, shoal.ErrCorrupt, err)
	}
	if !found.Found() {
		return netip.Prefix{}, shoal.Locality{}, nil
	}
	return found.Prefix(), r.locality(), nil
}

func (r *record) locality() (l shoal.Locality) {
	if r.ASN != 0 {
		l.Carrier = fmt.Sprintf("AS%d", r.ASN)
	}
	l.Region = r.Country.ISO
	if l.Region != "" && len(r.Subdivisions) > 0 {
		part := r.Subdivisions[0]
		if part.ISO == "" {
			part.ISO = part.Names.English
		}
		if part.ISO != "" {
			l.Region += "-" + part.ISO
		}
	}
	if checkLabel(l.Region) != nil {
		l.Region = ""
	}
	return l
}
