package fallback

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"

	"github.com/shoal-cdn/shoal"
)

func TestGuard(t *testing.T) {
	g := &Guard{Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00:1::/32")}}
	for _, tt := range []struct {
		addr    string
		allowed bool
	}{
		{"8.8.8.8", true},
		{"2a00:1450:4001:830::200e", true},
		{"0.0.0.0", false},
		{"0.1.2.3", false},
		{"127.0.0.1", false},
		{"127.255.0.1", false},
		{"10.0.0.1", false},
		{"10.1.0.1", true}, // allowed by the operator
		{"172.16.0.1", false},
		{"172.32.0.1", true},
		{"192.168.1.1", false},
		{"169.254.169.254", false},
		{"100.64.0.1", false},
		{"100.128.0.1", true},
		{"198.18.0.1", false},
		{"198.19.255.255", false},
		{"198.20.0.1", true},
		{"192.0.2.1", false},
		{"224.0.0.1", false},
		{"239.255.255.250", false},
		{"240.0.0.1", false},
		{"255.255.255.255", false},
		{"::", false},
		{"::1", false},
		{"::7f00:1", false}, // IPv4-compatible 127.0.0.1
		{"::ffff:127.0.0.1", false},
		{"::ffff:10.1.2.3", true},
		{"::ffff:8.8.8.8", true},
		{"::ffff:0:127.0.0.1", false}, // IPv4-translated (SIIT)
		{"fe80::1", false},
		{"fe80::1%eth0", false},
		{"fec0::1", false},
		{"fc00::1", false},
		{"fd00:1::1", true},
		{"fd00:2::1", false},
		{"ff02::1", false},
		{"64:ff9b::127.0.0.1", false}, // NAT64
		{"64:ff9b::8.8.8.8", true},
		{"64:ff9b::10.1.0.1", true},
		{"64:ff9b:1::8.8.8.8", false}, // NAT64 of a local network
		{"2002:7f00:1::", false},      // 6to4 of 127.0.0.1
		{"2002:808:808::1", true},
		{"2001:0:4136:e378::1", false}, // Teredo
		{"2001:db8::1", false},
		{"100::1", false},
		{"5f00::1", false},
	} {
		addr := netip.MustParseAddr(tt.addr)
		err := g.Check(addr)
		if (err == nil) != tt.allowed || err != nil && !errors.Is(err, shoal.ErrInvalid) {
			t.Errorf("%s: %v, want allowed %v", tt.addr, err, tt.allowed)
		}
		// What net.Dialer calls with.
		if err := g.control("tcp", netip.AddrPortFrom(addr, 443).String(), nil); (err == nil) != tt.allowed {
			t.Errorf("dial %s: %v, want allowed %v", tt.addr, err, tt.allowed)
		}
	}
	if err := g.Check(netip.Addr{}); err == nil {
		t.Error("no address is allowed")
	}
	if err := g.control("tcp", "example.com:80", nil); err == nil {
		t.Error("a name is allowed")
	}
	if err := (*Guard)(nil).Check(netip.MustParseAddr("127.0.0.1")); err != nil {
		t.Error("no guard:", err)
	}
}

// Nodes may be in private networks, and never on this host or its links.
func TestGuardPrivate(t *testing.T) {
	for addr, allowed := range map[string]bool{
		"8.8.8.8": true, "2a00:1450:4001:830::200e": true,
		"10.0.0.1": true, "172.31.255.255": true, "192.168.1.1": true, "100.64.0.1": true, "198.18.0.1": true, "198.19.255.255": true,
		"fc00::1": true, "fd12:3456::1": true, "::ffff:10.0.0.1": true, "64:ff9b::10.0.0.1": true,
		"127.0.0.1": false, "127.255.0.1": false, "::1": false, "::ffff:127.0.0.1": false, "64:ff9b::127.0.0.1": false, "2002:7f00:1::": false,
		"169.254.169.254": false, "::ffff:169.254.169.254": false, "fe80::1": false, "fe80::1%eth0": false, "fec0::1": false,
		"224.0.0.1": false, "239.1.2.3": false, "ff02::1": false, "ff0e::1": false, "255.255.255.255": false,
		"0.0.0.0": false, "::": false, "192.0.0.8": false, "192.0.2.1": false, "240.0.0.1": false, "2001:db8::1": false,
	} {
		g := &Guard{Private: true}
		if err := g.Check(netip.MustParseAddr(addr)); (err == nil) != allowed || err != nil && !errors.Is(err, shoal.ErrInvalid) {
			t.Errorf("%s: %v, want allowed %v", addr, err, allowed)
		}
	}
	g := &Guard{Private: true, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	if err := g.Check(netip.MustParseAddr("127.0.0.1")); err != nil {
		t.Error("allowed by the operator:", err)
	}
}

func TestCheckURL(t *testing.T) {
	for s, ok := range map[string]bool{
		"http://example.com/f": true, "https://[2001:db8::1]:8443/": true, "https://example.com/f?X-Amz-Signature=a": true,
		"ftp://example.com/f": false, "file:///etc/passwd": false, "gopher://example.com": false, "http://": false, "http:///f": false,
		"/f": false, "http:f": false, "http://user@example.com/": false, "http://user:secret@example.com/": false, "http://@example.com/": false,
	} {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckURL(u); (err == nil) != ok || err != nil && !errors.Is(err, shoal.ErrInvalid) {
			t.Errorf("%s: %v, want ok %v", s, err, ok)
		}
	}
}

// The guard sees what is dialled: after redirects, and after names are resolved.
func TestNewClientIsGuarded(t *testing.T) {
	inner := httptest.NewServer(http.NotFoundHandler())
	defer inner.Close()
	_, port, _ := netSplit(inner.URL)
	outer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Referer() != "" {
			t.Error("a redirect tells where it came from:", r.Referer())
		}
		http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusFound)
	}))
	defer outer.Close()
	get := func(g *Guard, u string) (int, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u, nil)
		if err != nil {
			t.Fatal(err)
		}
		c := NewClient(g, nil)
		defer c.CloseIdleConnections()
		resp, err := c.Do(req)
		if err != nil {
			return 0, err
		}
		resp.Body.Close()
		return resp.StatusCode, nil
	}
	v4only := &Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}
	for _, tt := range []struct {
		name string
		g    *Guard
		url  string
		code int // 0: refused
	}{
		{"an address", &Guard{}, inner.URL, 0},
		{"a name", &Guard{}, "http://localhost:" + port, 0},
		{"unguarded", nil, inner.URL, 404},
		{"allowed", v4only, inner.URL, 404},
		{"redirected to what is allowed", v4only, outer.URL + "?to=" + url.QueryEscape(inner.URL), 404},
		{"redirected to what is not", v4only, outer.URL + "?to=" + url.QueryEscape("http://127.0.0.2:"+port), 0},
		{"redirected to a metadata service", v4only, outer.URL + "?to=" + url.QueryEscape("http://169.254.169.254/latest"), 0},
		{"redirected to a file", v4only, outer.URL + "?to=" + url.QueryEscape("file:///etc/passwd"), 0},
	} {
		code, err := get(tt.g, tt.url)
		if code != tt.code || tt.code == 0 && !errors.Is(err, shoal.ErrInvalid) {
			t.Errorf("%s: %d, %v, want %d", tt.name, code, err, tt.code)
		}
	}
}

func netSplit(rawURL string) (host, port string, err error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return "", "", err
	}
	return u.Hostname(), u.Port(), nil
}
