package ingest

import (
	"os"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/durable"
)

// outcome is FILE.done.json.
type outcome struct {
	Content shoal.ContentID `json:"content"`
	Task    string          `json:"task"`
	At      time.Time       `json:"at"`
}

// settled reports whether there is an outcome that is newer than what it is of.
func (d *Drop) settled(root *os.Root, name string, now state) bool {
	for _, suffix := range []string{doneSuffix, failSuffix} {
		if info, err := root.Lstat(name + suffix); err == nil && !info.ModTime().Before(now.newest) {
			return true
		}
	}
	return false
}

// writeBeside makes b what name holds, all at once.
func writeBeside(root *os.Root, name string, b []byte) error {
	return durable.Replace(root, name, "."+name+".tmp", b, 0o644)
}
