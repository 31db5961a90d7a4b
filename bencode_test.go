package shoal

import (
	"strings"
	"testing"
)

func TestBencodeIsStrict(t *testing.T) { // BEP 3 "bencoding"
	tests := []struct {
		in string
		ok bool
	}{
		{"i0e", true},
		{"i-1e", true},
		{"i9223372036854775807e", true},
		{"i-9223372036854775808e", true},
		{"i9223372036854775808e", false},
		{"i-0e", false},
		{"i01e", false},
		{"i+1e", false},
		{"ie", false},
		{"i1", false},
		{"0:", true},
		{"3:abc", true},
		{"03:abc", false},
		{"-1:", false},
		{"3:ab", false},
		{"9223372036854775807:a", false},
		{":", false},
		{"le", true},
		{"li1e0:dee", true},
		{"l", false},
		{"de", true},
		{"d0:i0e1:ai0e2:aai0e1:bi0ee", true},
		{"d1:bi0e1:ai0ee", false},
		{"d1:ai0e1:ai0ee", false},
		{"d1:ae", false},
		{"di1ei1ee", false},
		{"d1:ai0e", false},
		{"", false},
		{"e", false},
		{"x", false},
		{strings.Repeat("l", maxBencodeDepth) + strings.Repeat("e", maxBencodeDepth), true},
		{strings.Repeat("l", maxBencodeDepth+1) + strings.Repeat("e", maxBencodeDepth+1), false},
		{strings.Repeat("d1:a", 1<<20), false},
	}
	for _, tt := range tests {
		r := bencodeReader{b: []byte(tt.in)}
		err := r.skip()
		if (err == nil) != tt.ok {
			t.Errorf("%.40q: error %v, want ok %v", tt.in, err, tt.ok)
		}
		if err == nil && r.pos != len(tt.in) {
			t.Errorf("%.40q: stopped at byte %d", tt.in, r.pos)
		}
	}
}
