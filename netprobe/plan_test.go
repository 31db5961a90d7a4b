package netprobe

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

var (
	plainA  = Target{URL: "http://a:1"}
	secureB = Target{URL: "https://b:1"}
	secureC = Target{URL: "https://c:1"}
)

// brief is a plan as one reads it: "ping tcp a".
func brief(plan []Step) string {
	ops := []string{"ping", "down", "up"}
	var words []string
	for _, s := range plan {
		_, host, _ := strings.Cut(s.URL, "://")
		words = append(words, fmt.Sprintf("%s %s %s", ops[s.Op], s.Transport, strings.TrimSuffix(host, ":1")))
	}
	return strings.Join(words, ", ")
}

func TestPlan(t *testing.T) {
	for _, c := range []struct {
		name    string
		targets []Target
		budget  Budget
		want    string
		bytes   int64         // of each transfer
		time    time.Duration // of each transfer
	}{
		{name: "nothing", want: ""},
		{name: "round trips only", targets: []Target{plainA, secureB},
			want: "ping tcp a, ping tcp b, ping quic b"},
		{name: "again", targets: []Target{secureB, plainA, secureB}, budget: Budget{Down: true},
			want:  "ping tcp b, ping quic b, ping tcp a, down tcp b, down quic b, down tcp a",
			bytes: maxStepBytes, time: maxStepTime},
		{name: "both directions", targets: []Target{secureB}, budget: Budget{Down: true, Up: true},
			want:  "ping tcp b, ping quic b, down tcp b, down quic b, up tcp b, up quic b",
			bytes: maxStepBytes, time: maxStepTime},
		{name: "shared", targets: []Target{secureB, secureC}, budget: Budget{Up: true, Bytes: 4 << 20, Time: 6 * time.Second},
			want:  "ping tcp b, ping quic b, ping tcp c, ping quic c, up tcp b, up quic b, up tcp c, up quic c",
			bytes: 1 << 20, time: 1500 * time.Millisecond},
		{name: "a large budget is no reason to take all", targets: []Target{plainA}, budget: Budget{Down: true, Bytes: 1 << 40, Time: time.Hour},
			want: "ping tcp a, down tcp a", bytes: maxStepBytes, time: maxStepTime},
		{name: "bytes for three: one target's transports are measured alike", targets: []Target{secureB, secureC}, budget: Budget{Down: true, Bytes: 3 * minStepBytes},
			want:  "ping tcp b, ping quic b, ping tcp c, ping quic c, down tcp b, down quic b",
			bytes: 3 * minStepBytes / 2, time: maxStepTime},
		{name: "time for none", targets: []Target{plainA}, budget: Budget{Down: true, Time: minStepTime - 1},
			want: "ping tcp a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			plan := Plan(c.targets, c.budget)
			if got := brief(plan); got != c.want {
				t.Errorf("plan\n%s, want\n%s", got, c.want)
			}
			for _, s := range plan {
				if s.Op == Ping && s.Requests != 5 {
					t.Errorf("%s: %d requests, want 5", s.Path, s.Requests)
				}
				if s.Op != Ping && (s.Bytes != c.bytes || s.Time != c.time) {
					t.Errorf("%s: %+v, want %d bytes in %s", s.Path, s, c.bytes, c.time)
				}
			}
		})
	}
}

func TestParseTarget(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"http://h:80", "http://h:80"},
		{"https://h/", "https://h"},
		{"https://h:1/shoal/", "https://h:1/shoal"},
		{"h:7443", "https://h:7443"},
		{"[2001:db8::1]:7443", "https://[2001:db8::1]:7443"},
		{"", ""}, {"ftp://h", ""}, {"https://", ""}, {"https://:80", ""}, {"https://user@h", ""},
		{"https://h?x", ""}, {"https://h#x", ""}, {"https://h:port", ""}, {"h:1\x1b[2J", ""},
		{"https://" + strings.Repeat("h", maxURLBytes), ""},
	} {
		got, err := ParseTarget(c.in)
		if got.URL != c.want || (err == nil) != (c.want != "") {
			t.Errorf("ParseTarget(%.40q) = %q, %v, want %q", c.in, got.URL, err, c.want)
		}
	}
}
