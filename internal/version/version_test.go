package version

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestFrom(t *testing.T) {
	tests := []struct {
		name string
		in   debug.BuildInfo
		want string // prefix of String
	}{
		{"nothing recorded", debug.BuildInfo{}, "devel "},
		{"work tree without a version", debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, "devel "},
		{"release", debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, GoVersion: "go1.26.0"}, "v1.2.3 go1.26.0 "},
		{"changed work tree", debug.BuildInfo{
			Main: debug.Module{Version: "v1.2.3"},
			Settings: []debug.BuildSetting{
				{Key: "vcs.revision", Value: "0123456789abcdef0123"},
				{Key: "vcs.time", Value: "2026-01-02T03:04:05Z"},
				{Key: "vcs.modified", Value: "true"},
			},
		}, "v1.2.3 (0123456789ab, 2026-01-02T03:04:05Z, modified) "},
		{"short commit", debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}}}, "devel (abc) "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := from(&tt.in).String(); !strings.HasPrefix(got, tt.want) {
				t.Errorf("String() = %q, want prefix %q", got, tt.want)
			}
		})
	}
}
