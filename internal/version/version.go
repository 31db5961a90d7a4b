package version

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// Info describes a build. Fields the toolchain did not record are empty.
type Info struct {
	Version  string `json:"version"`            // the module's version, "devel" for a build from a work tree
	Commit   string `json:"commit,omitempty"`   // full hash
	Time     string `json:"time,omitempty"`     // of the commit, RFC 3339
	Modified bool   `json:"modified,omitempty"` // the work tree had changes
	Go       string `json:"go"`
	Platform string `json:"platform"` // GOOS/GOARCH
}

// Get describes the running binary.
func Get() Info {
	bi, ok := debug.ReadBuildInfo()
	if !ok {
		bi = &debug.BuildInfo{}
	}
	return from(bi)
}

func from(bi *debug.BuildInfo) Info {
	info := Info{
		Version:  strings.Trim(bi.Main.Version, "()"), // "(devel)" where no version is known
		Go:       bi.GoVersion,
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	if info.Version == "" {
		info.Version = "devel"
	}
	for _, s := range bi.Settings {
		switch s.Key {
		case "vcs.revision":
			info.Commit = s.Value
		case "vcs.time":
			info.Time = s.Value
		case "vcs.modified":
			info.Modified = s.Value == "true"
		}
	}
	return info
}

// String is one line: "v1.2.3 (0123456789ab, 2026-01-02T03:04:05Z, modified) go1.26.0 linux/amd64".
func (i Info) String() string {
	var vcs []string
	if i.Commit != "" {
		vcs = append(vcs, i.Commit[:min(12, len(i.Commit))])
	}
	if i.Time != "" {
		vcs = append(vcs, i.Time)
	}
	if i.Modified {
		vcs = append(vcs, "modified")
	}
	s := i.Version
	if len(vcs) > 0 {
		s = fmt.Sprintf("%s (%s)", s, strings.Join(vcs, ", "))
	}
	return fmt.Sprintf("%s %s %s", s, i.Go, i.Platform)
}
