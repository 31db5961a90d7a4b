package where

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/shoal-cdn/shoal"
)

const goodCSV = `prefix, carrier, region, site
# the whole of it, then a part
198.18.0.0/15, AS64500, north

198.18.7.0/24, AS64500, north, dc7
198.18.7.9, "AS64501, too", , dc9
2001:db8::/32,,south
`

const goodYAML = `# the same
- prefix: 198.18.0.0/15
  carrier: AS64500
  region: north
- {prefix: 198.18.7.0/24, carrier: AS64500, region: north, site: dc7}
- prefix: 198.18.7.9
  carrier: "AS64501, too"
  region:
  site: dc9
- prefix: 2001:db8::/32
  region: south
`

// M4: the longest prefix that an address is in counts.
func TestTable(t *testing.T) {
	for name, decode := range map[string]func() (*Table, error){
		"csv":  func() (*Table, error) { return DecodeCSV([]byte(goodCSV)) },
		"yaml": func() (*Table, error) { return DecodeYAML([]byte(goodYAML)) },
	} {
		table, err := decode()
		if err != nil || table.Len() != 4 {
			t.Fatalf("%s: %v", name, err)
		}
		for addr, want := range map[string]string{
			"198.19.255.255":      "198.18.0.0/15 {AS64500 north }",
			"198.18.7.8":          "198.18.7.0/24 {AS64500 north dc7}",
			"198.18.7.9":          "198.18.7.9/32 {AS64501, too  dc9}",
			"::ffff:198.18.7.9":   "198.18.7.9/32 {AS64501, too  dc9}",
			"2001:db8:1::1%eth0":  "2001:db8::/32 { south }",
			"198.20.0.0":          "invalid Prefix {  }",
			"2001:db9::1":         "invalid Prefix {  }",
			"::198.18.7.9":        "invalid Prefix {  }",
			"64:ff9b::198.18.7.9": "invalid Prefix {  }",
		} {
			p, l, ok := table.Lookup(netip.MustParseAddr(addr))
			if got := fmt.Sprintf("%v %v", p, l); got != want || ok != p.IsValid() {
				t.Errorf("%s: %s is %s (%v), want %s", name, addr, got, ok, want)
			}
		}
		if _, _, ok := table.Lookup(netip.Addr{}); ok {
			t.Errorf("%s: no address is somewhere", name)
		}
	}
}

func TestFaults(t *testing.T) {
	long := strings.Repeat("x", maxLabel+1)
	for _, tt := range []struct{ name, csv, yaml, want string }{
		{"no prefix", "a\n,AS1", "- {carrier: AS1}", "no prefix"},
		{"bad prefix", "10.0.0.0/33,AS1", "- {prefix: 10.0.0.0/33, carrier: AS1}", `line 1: prefix "10.0.0.0/33": want`},
		{"mapped", "::ffff:10.0.0.0/112,AS1", "- {prefix: '::ffff:10.0.0.0/112', carrier: AS1}", "want an IPv4"},
		{"zone", "fe80::1%eth0,AS1", "- {prefix: fe80::1%eth0, carrier: AS1}", "want an IPv4"},
		{"host bits", "\n\n10.0.0.7/24,AS1", "\n\n- {prefix: 10.0.0.7/24, carrier: AS1}", "line 3: prefix 10.0.0.7/24 has bits set behind its length: want 10.0.0.0/24"},
		{"twice", "10.0.0.1,AS1\n10.0.0.1/32,AS2", "- {prefix: 10.0.0.1, carrier: AS1}\n- {prefix: 10.0.0.1/32, carrier: AS2}", "line 2: 10.0.0.1/32 is in line 1 already"},
		{"nothing said", "10.0.0.0/8,,,", "- prefix: 10.0.0.0/8", "has neither carrier, region nor site"},
		{"long label", "10.0.0.0/8," + long, "- {prefix: 10.0.0.0/8, site: " + long + "}", "at most 64 printable bytes"},
		{"control", "10.0.0.0/8,a\x1b[2J", "- {prefix: 10.0.0.0/8, site: \"a\\e[2J\"}", "at most 64 printable bytes"},
		{"column", "10.0.0.0/8,AS1,r,s,more", "- {prefix: 10.0.0.0/8, colour: red}", "line 1: "},
		{"syntax", "10.0.0.0/8,AS1\n10.1.0.0/16,\"AS1", "- {prefix: 10.0.0.0/8", "line 2"},
		{"several", "x,AS1\ny,AS1", "- {prefix: x, site: s}\n- {prefix: y, site: s}", "line 2: prefix \"y\""},
	} {
		for form, decode := range map[string]func() (*Table, error){
			"csv":  func() (*Table, error) { return DecodeCSV([]byte(tt.csv)) },
			"yaml": func() (*Table, error) { return DecodeYAML([]byte(tt.yaml)) },
		} {
			if tt.name == "syntax" && form == "yaml" {
				tt.want = "" // the decoder's own words
			}
			table, err := decode()
			if table != nil || !errors.Is(err, shoal.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s, %s: %v, want %q", tt.name, form, err, tt.want)
			}
		}
	}
	for _, bad := range []string{"prefix: 10.0.0.0/8", "- [10.0.0.0/8]", "- {prefix: [a]}", "- &a {prefix: 10.0.0.0/8, site: s}\n- *a", "--- []\n--- []",
		"- {prefix: 10.0.0.0/8, site: a, site: b}"} {
		if _, err := DecodeYAML([]byte(bad)); !errors.Is(err, shoal.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	many := strings.Repeat("x\n", 1000)
	if _, err := DecodeCSV([]byte(many)); strings.Count(err.Error(), "line ") != maxFaults {
		t.Errorf("told of many faults: %v", err)
	}
	if _, err := DecodeCSV(make([]byte, maxCSV+1)); !errors.Is(err, shoal.ErrInvalid) {
		t.Errorf("large CSV: %v", err)
	}
	if _, err := DecodeYAML(make([]byte, maxYAML+1)); !errors.Is(err, shoal.ErrInvalid) {
		t.Errorf("large YAML: %v", err)
	}
}

func TestEmptyTable(t *testing.T) {
	for _, empty := range []string{"", "# nothing yet\n", "[]", "null"} {
		if table, err := DecodeYAML([]byte(empty)); err != nil || table.Len() != 0 {
			t.Errorf("YAML %q: %v", empty, err)
		}
	}
	for _, empty := range []string{"", "# nothing yet\n", "\ufeffprefix,carrier,region,site\n"} {
		if table, err := DecodeCSV([]byte(empty)); err != nil || table.Len() != 0 {
			t.Errorf("CSV %q: %v", empty, err)
		}
	}
}

// What is taken fits the protocol and is found again.
func checkTable(t *testing.T, table *Table, err error) {
	if err != nil {
		if table != nil || !errors.Is(err, shoal.ErrInvalid) {
			t.Errorf("%v, with a table: %v", err, table != nil)
		}
		return
	}
	for p, l := range table.prefixes.All() {
		found, at, ok := table.Lookup(p.Addr())
		if !ok || !p.Overlaps(found) || found.Bits() < p.Bits() {
			t.Errorf("%v is not found, but %v", p, found)
		}
		if found == p && at != l || l == (shoal.Locality{}) || errors.Join(checkLabel(l.Carrier), checkLabel(l.Region), checkLabel(l.Site)) != nil {
			t.Errorf("%v is at %+v and %+v", p, l, at)
		}
	}
}

func FuzzCSV(f *testing.F) {
	f.Add([]byte(goodCSV))
	f.Add([]byte("\"10.0.0.0/8\nx\",AS1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := DecodeCSV(data)
		checkTable(t, table, err)
	})
}

func FuzzYAML(f *testing.F) {
	f.Add([]byte(goodYAML))
	f.Add([]byte("- &a {prefix: 10.0.0.0/8}\n- *a"))
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := DecodeYAML(data)
		checkTable(t, table, err)
	})
}
