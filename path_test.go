package shoal

import (
	"strings"
	"testing"
)

func TestCheckName(t *testing.T) {
	tests := []struct {
		name string
		ok   bool
	}{
		{"a", true},
		{"...", true},
		{".hidden", true},
		{" spaces ", true},
		{"日本語.bin", true},
		{"e\u0301", true}, // not normalised
		{"C:", true},
		{strings.Repeat("n", 255), true},
		{"", false},
		{".", false},
		{"..", false},
		{"a/b", false},
		{"/", false},
		{`a\b`, false},
		{"nul\x00", false},
		{"line\nbreak", false},
		{"\x1b[2J", false},
		{"c1\u009b", false},
		{"\xff\xfe", false},
		{strings.Repeat("n", 256), false},
		{strings.Repeat("é", 128), false},
	}
	for _, tt := range tests {
		if err := checkName(tt.name); (err == nil) != tt.ok {
			t.Errorf("%q: error %v, want ok %v", tt.name, err, tt.ok)
		}
	}
}

func TestCheckPathBounds(t *testing.T) {
	deep := strings.Repeat("d/", maxPathDepth-1) + "f"
	long := strings.Repeat(strings.Repeat("n", 255)+"/", maxPathLen/256)
	for path, ok := range map[string]bool{
		"f":                true,
		deep:               true,
		"d/" + deep:        false,
		long[:len(long)-1]: true,
		long + "f":         false,
	} {
		if err := checkPathBounds(path); (err == nil) != ok {
			t.Errorf("%d bytes, %d levels: error %v, want ok %v", len(path), strings.Count(path, "/")+1, err, ok)
		}
	}
}
