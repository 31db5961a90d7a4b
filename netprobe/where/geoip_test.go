package where

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"testing"

	"github.com/shoal-cdn/shoal"
)

func asn(n uint32) map[string]any {
	return map[string]any{"autonomous_system_number": n, "autonomous_system_organization": "An operator"}
}

// city is an entry of a city database; sub are the ISO code and the English
// name of its first subdivision, "" for none.
func city(country string, sub ...string) map[string]any {
	e := map[string]any{"country": map[string]any{"iso_code": country, "names": map[string]any{"en": "C"}}}
	if len(sub) == 2 {
		first := map[string]any{"names": map[string]any{"en": sub[1], "fr": "autre"}}
		if sub[0] != "" {
			first["iso_code"] = sub[0]
		}
		e["subdivisions"] = []any{first, map[string]any{"iso_code": "second"}}
	}
	return e
}

var (
	asns = mmdb("GeoLite2-ASN", map[string]any{
		"198.18.0.0/16": asn(4134), "2001:db8::/32": asn(4837), "198.19.0.0/16": map[string]any{"autonomous_system_organization": "nobody's"},
	})
	cities = mmdb("GeoLite2-City", map[string]any{
		"198.18.1.0/24": city("CN", "GD", "Guangdong"), "198.18.2.0/24": city("CN", "", "Guangdong"), "198.18.3.0/24": city("CN"),
		"198.18.4.0/24": city("", "GD", "Guangdong"), "198.18.5.0/24": city("CN", "", strings.Repeat("x", 100)), "2001:db8::/33": city("FR"),
	})
	both = func() []byte {
		e := city("US", "CA", "California")
		maps.Copy(e, asn(64500))
		return mmdb("Everything", map[string]any{"198.18.1.0/24": e})
	}()
)

func TestDatabase(t *testing.T) {
	for _, tt := range []struct {
		file       []byte
		addr, want string
	}{
		{asns, "198.18.200.1", "198.18.0.0/16 {AS4134  }"},
		{asns, "::ffff:198.18.200.1", "198.18.0.0/16 {AS4134  }"},
		{asns, "198.19.0.1", "198.19.0.0/16 {  }"},
		{asns, "2001:db8::7", "2001:db8::/32 {AS4837  }"},
		{asns, "10.0.0.1", "invalid Prefix {  }"},
		{cities, "198.18.1.1", "198.18.1.0/24 { CN-GD }"},
		{cities, "198.18.2.1", "198.18.2.0/24 { CN-Guangdong }"},
		{cities, "198.18.3.1", "198.18.3.0/24 { CN }"},
		{cities, "198.18.4.1", "198.18.4.0/24 {  }"},
		{cities, "198.18.5.1", "198.18.5.0/24 {  }"},
		{cities, "2001:db8::1", "2001:db8::/33 { FR }"},
		{both, "198.18.1.1", "198.18.1.0/24 {AS64500 US-CA }"},
	} {
		d, err := DecodeDatabase(tt.file)
		if err != nil {
			t.Fatal(err)
		}
		p, l, err := d.Lookup(netip.MustParseAddr(tt.addr))
		if got := fmt.Sprintf("%v %v", p, l); got != tt.want || err != nil {
			t.Errorf("%s in %s: %s, %v, want %s", tt.addr, d.Type(), got, err, tt.want)
		}
	}
	if _, err := DecodeDatabase([]byte("something else")); !errors.Is(err, shoal.ErrInvalid) {
		t.Errorf("no database: %v", err)
	}
}

// A database that is damaged answers with errors, at worst wrongly, and never
// ends the process.
func FuzzDatabase(f *testing.F) {
	f.Add(asns, []byte{198, 18, 1, 1})
	f.Add(cities, []byte{198, 18, 1, 1})
	f.Add(both[:len(both)-40], []byte("0123456789abcdef"))
	f.Fuzz(func(t *testing.T, data, addr []byte) {
		d, err := DecodeDatabase(data)
		if err != nil {
			return
		}
		a, _ := netip.AddrFromSlice(addr)
		_, l, err := d.Lookup(a)
		if err != nil && !errors.Is(err, shoal.ErrCorrupt) || checkLabel(l.Carrier) != nil || checkLabel(l.Region) != nil {
			t.Errorf("%+v, %v", l, err)
		}
	})
}
