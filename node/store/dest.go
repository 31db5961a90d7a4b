package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/shoal-cdn/shoal"
)

const maxDestLen = 4096 // bytes: what kernels take as a path

// CheckDest says why dest cannot be a destination; the error is of kind
// [shoal.ErrInvalid]. It asks no disk, so a node can refuse an order early.
func CheckDest(dest string) error {
	bad := func(why string) error {
		return fmt.Errorf("destination %q: %w: %s; want a path relative to the node's files folder, such as videos/a.mp4",
			dest[:min(len(dest), 200)], shoal.ErrInvalid, why)
	}
	switch {
	case len(dest) > maxDestLen:
		return bad("too long")
	case strings.HasPrefix(dest, "/"):
		return bad("absolute")
	case !utf8.ValidString(dest) || strings.ContainsFunc(dest, unicode.IsControl) || strings.Contains(dest, `\`):
		return bad("control character, backslash or not UTF-8")
	case dest == "." || dest == "" || path.Clean(dest) != dest:
		return bad(`empty, "." or ".." component`)
	case !filepath.IsLocal(filepath.FromSlash(dest)):
		return bad("leads out of the folder")
	}
	return nil
}

// checkDest also refuses destinations among the store's own files, which
// Config.Files above them makes possible.
func (d *Disk) checkDest(dest string) error {
	if err := CheckDest(dest); err != nil {
		return err
	}
	full := d.destPath(dest)
	for _, own := range []string{d.cfg.State, d.cfg.Partial} {
		if inside(full, own) || inside(own, full) {
			return fmt.Errorf("destination %q: %w: the store keeps its own files there", dest, shoal.ErrInvalid)
		}
	}
	return nil
}

// destPath is a destination's path below the root.
func (d *Disk) destPath(dest string) string { return path.Join(d.cfg.Files, dest) }

// checkFree makes sure that nothing is at dest and that only folders are on
// the way: a symbolic link there could lead anywhere below the root.
func (d *Disk) checkFree(dest string) error {
	parts := strings.Split(dest, "/")
	for i := range parts {
		at := strings.Join(parts[:i+1], "/")
		info, err := d.root.Lstat(d.destPath(at))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return fmt.Errorf("destination %q: %w", dest, err)
		case i == len(parts)-1:
			return fmt.Errorf("destination %q: %w: something else is there already; move it away or choose another destination",
				dest, shoal.ErrConflict)
		case !info.IsDir():
			return fmt.Errorf("destination %q: %w: %q is not a folder", dest, shoal.ErrConflict, at)
		}
	}
	return nil
}

// claim reserves dest for a content that is not known yet, or whose record
// could not be read; undo takes that back.
func (d *Disk) claim(id shoal.ContentID, dest string) (undo func(), err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for other, taken := range d.known {
		if other != id && taken != "" && (inside(dest, taken) || inside(taken, dest)) {
			return nil, fmt.Errorf("destination %q: %w: content %s is at %q", dest, shoal.ErrConflict, other, taken)
		}
	}
	before, known := d.known[id]
	d.known[id] = dest
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if delete(d.known, id); known {
			d.known[id] = before
		}
	}, nil
}

// know makes a content known that has no destination: it is in place.
func (d *Disk) know(id shoal.ContentID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.known[id] = ""
}

func (d *Disk) forget(id shoal.ContentID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.known, id)
}

func (d *Disk) isKnown(id shoal.ContentID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.known[id]
	return ok
}
