package store

import (
	"fmt"
	"log/slog"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/shoal-cdn/shoal"
)

// Config says where a [Disk] is and how it works.
type Config struct {
	// Root is the folder everything is in; it is created where missing. It
	// must be one file system. Required.
	Root string

	// Slash-separated paths of folders below Root, for state (default
	// "state"), data while it arrives (default "partial") and published data
	// (default "files"; "." is Root itself). State and Partial are readable
	// by their owner only.
	State, Partial, Files string

	// SyncBytes is how much of a content is written before the store syncs it
	// unasked, in bytes; 0 means 64 MiB. SyncInterval is how long it waits
	// at most after a write; 0 means 3 s. Negative values are not allowed.
	SyncBytes    int64
	SyncInterval time.Duration

	// OpenFiles is how many data files are kept open, and half as many of their
	// folders; 0 means 256.
	OpenFiles int

	// Log takes what no caller is there to be told; nil discards it.
	Log *slog.Logger
}

func (c Config) withDefaults() (Config, error) {
	def := func(v *string, d string) {
		if *v == "" {
			*v = d
		}
	}
	def(&c.State, "state")
	def(&c.Partial, "partial")
	def(&c.Files, "files")
	if c.Root == "" {
		return c, fmt.Errorf("open store: %w: no root folder", shoal.ErrInvalid)
	}
	for _, p := range []string{c.State, c.Partial, c.Files} {
		if !filepath.IsLocal(filepath.FromSlash(p)) || path.Clean(p) != p {
			return c, fmt.Errorf("open store: %w: folder %q is not a clean relative path", shoal.ErrInvalid, p)
		}
	}
	if c.SyncBytes < 0 || c.SyncInterval < 0 || c.OpenFiles < 0 {
		return c, fmt.Errorf("open store: %w: negative limit", shoal.ErrInvalid)
	}
	if c.SyncBytes == 0 {
		c.SyncBytes = 64 << 20
	}
	if c.SyncInterval == 0 {
		c.SyncInterval = 3 * time.Second
	}
	if c.OpenFiles == 0 {
		c.OpenFiles = 256
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// inside reports whether slash path p is dir or below it.
func inside(p, dir string) bool {
	return dir == "." || p == dir || strings.HasPrefix(p, dir+"/")
}
