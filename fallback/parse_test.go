package fallback

import (
	"fmt"
	"strings"
	"testing"

	"github.com/shoal-cdn/shoal"
)

var contentRanges = []struct {
	in   string
	want contentRange
	ok   bool
}{
	{"bytes 0-99/1234", contentRange{0, 99, 1234}, true},
	{"Bytes 0-0/1", contentRange{0, 0, 1}, true},
	{"bytes 5-9/*", contentRange{5, 9, -1}, true},
	{"bytes 0-9223372036854775806/9223372036854775807", contentRange{0, 1<<63 - 2, 1<<63 - 1}, true},
	{"bytes 0-9223372036854775807/*", contentRange{}, false},
	{"bytes 0-99/99", contentRange{}, false},
	{"bytes 9-8/99", contentRange{}, false},
	{"bytes -1-8/99", contentRange{}, false},
	{"bytes +1-8/99", contentRange{}, false},
	{"bytes */99", contentRange{}, false},
	{"bytes 0-1", contentRange{}, false},
	{"bytes 0-1/", contentRange{}, false},
	{"bytes 0-1/2/3", contentRange{}, false},
	{"bytes 0-1-2/3", contentRange{}, false},
	{"bytes=0-1/3", contentRange{}, false},
	{"lines 0-1/3", contentRange{}, false},
	{"bytes 99999999999999999999-1/3", contentRange{}, false},
	{"", contentRange{}, false},
}

func TestParseContentRange(t *testing.T) {
	for _, tt := range contentRanges {
		got, err := parseContentRange(tt.in)
		if (err == nil) != tt.ok || got != tt.want {
			t.Errorf("%q: %v, %v", tt.in, got, err)
		}
	}
}

// What is accepted is within bounds, and written out again it reads the same.
func FuzzParseContentRange(f *testing.F) {
	for _, tt := range contentRanges {
		f.Add(tt.in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		r, err := parseContentRange(in)
		if err != nil {
			return
		}
		if r.first < 0 || r.last < r.first || r.size != -1 && r.last >= r.size || r.last+1 <= 0 {
			t.Fatalf("%q: %+v", in, r)
		}
		size := "*"
		if r.size >= 0 {
			size = fmt.Sprint(r.size)
		}
		if again, err := parseContentRange(fmt.Sprintf("bytes %d-%d/%s", r.first, r.last, size)); err != nil || again != r {
			t.Fatalf("%q: %+v, %v", in, again, err)
		}
	})
}

func TestHTTP3Port(t *testing.T) {
	for in, want := range map[string]uint16{
		"":                                   0,
		"clear":                              0,
		`h3=":443"; ma=86400`:                443,
		`h2=":443", h3=":8443";ma=1`:         8443,
		`h3-29=":443"; ma=1`:                 0,
		`h3="other.example:443"; ma=1`:       0,
		`h3=":0"`:                            0,
		`h3=":65536"`:                        0,
		`h3=":-1"`:                           0,
		`h3=443`:                             0,
		`h3`:                                 0,
		`h3="x:1", h3=":7"`:                  7,
		strings.Repeat(`,h3="`, 1000) + `:1`: 0,
	} {
		if got, ok := http3Port(in); got != want || ok != (want != 0) {
			t.Errorf("%.40q: %d, want %d", in, got, want)
		}
	}
}

// BEP 19: where files are; each name is one escaped segment, and queries stay.
func TestFileURL(t *testing.T) {
	single := newContent(t, map[string]int{"a b#?%.bin": 10}, pieceLength)
	folder := newContent(t, map[string]int{"sub/ü+&.bin": 10, "x": 10}, pieceLength)
	id := folder.m.ID().String()
	for _, tt := range []struct {
		kind Kind
		base string
		m    *shoal.Manifest
		want string
	}{
		{WebSeed, "http://h/f", single.m, "http://h/f"},
		{WebSeed, "http://h/d/", single.m, "http://h/d/a%20b%23%3F%25.bin"},
		{WebSeed, "https://h/f.bin?X-Amz-Signature=a%2Fb&x=1#part", single.m, "https://h/f.bin?X-Amz-Signature=a%2Fb&x=1"},
		{WebSeed, "http://h", folder.m, "http://h/content/sub/%C3%BC+&.bin"},
		{WebSeed, "http://h/a%2Fb/?token=1", folder.m, "http://h/a%2Fb/content/sub/%C3%BC+&.bin?token=1"},
		{Node, "http://h:1/", folder.m, "http://h:1/v1/contents/" + id + "/files/sub/%C3%BC+&.bin"},
		{Node, "http://h:1/gw", folder.m, "http://h:1/gw/v1/contents/" + id + "/files/sub/%C3%BC+&.bin"},
		{Node, "http://h", single.m, "http://h/v1/contents/" + single.m.ID().String() + "/files/a%20b%23%3F%25.bin"},
	} {
		u := Upstream{Name: "u", URL: tt.base, Kind: tt.kind}
		base, err := u.parse()
		if err != nil {
			t.Errorf("%s: %v", tt.base, err)
			continue
		}
		if got := fileURL(tt.kind, base, tt.m, 0).String(); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.base, got, tt.want)
		}
	}
	for _, u := range []Upstream{
		{URL: "http://h", Kind: Node}, {Name: "u", URL: "http://h"}, {Name: "u", URL: "ftp://h", Kind: WebSeed},
		{Name: "u", URL: "http://h?q=1", Kind: Node}, {Name: "u", URL: "http://a:b@h", Kind: WebSeed}, {Name: "u", URL: "http://h\x00", Kind: WebSeed},
		{Name: "u", URL: "http://h", Kind: WebSeed, Connections: -1}, {Name: "u", URL: "http://h/" + strings.Repeat("x", maxURLBytes), Kind: WebSeed},
	} {
		if _, err := u.parse(); err == nil {
			t.Errorf("%+.60v: accepted", u)
		}
	}
}
