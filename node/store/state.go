package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/durable"
)

// Endings of the files in the state folder.
const (
	extTorrent = ".torrent"
	extRecord  = ".json"
	extBitmap  = ".have"
	extJournal = ".journal"
	extTemp    = ".tmp"
)

// maxStateFile bounds what is read of one state file, in bytes; the largest
// legitimate one is a manifest of [shoal.MaxPieces] pieces.
const maxStateFile = 512 << 20

func (d *Disk) statePath(id shoal.ContentID, ext string) string {
	return path.Join(d.cfg.State, id.String()+ext)
}

func (d *Disk) readState(id shoal.ContentID, ext string) ([]byte, error) {
	f, err := d.root.Open(d.statePath(id, ext))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxStateFile+1))
	if err == nil && len(b) > maxStateFile {
		err = fmt.Errorf("%s: %w: larger than %d bytes", f.Name(), shoal.ErrCorrupt, maxStateFile)
	}
	return b, err
}

// writeState replaces a state file as a whole and durably. There must be one
// writer of a file at a time.
func (d *Disk) writeState(id shoal.ContentID, ext string, data []byte) error {
	name := d.statePath(id, ext)
	return durable.Replace(d.root, name, name+extTemp, data, 0o600)
}

func (d *Disk) removeState(id shoal.ContentID, exts ...string) error {
	for _, ext := range exts {
		if err := d.root.Remove(d.statePath(id, ext)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return durable.Sync(d.root, d.cfg.State)
}

// scanState finds the contents there are records of and removes what an
// interrupted writeState left behind.
func (d *Disk) scanState() error {
	dir, err := d.root.Open(d.cfg.State)
	if err != nil {
		return err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasSuffix(name, extTemp) {
			if err := d.root.Remove(path.Join(d.cfg.State, name)); err != nil {
				return err
			}
		}
		hex, found := strings.CutSuffix(name, extRecord)
		id, err := shoal.ParseContentID(hex)
		if !found || err != nil {
			continue
		}
		rec, err := d.readRecord(id)
		if err != nil {
			d.cfg.Log.Warn("unreadable record; deleting or creating the content again mends it", "content", id, "err", err)
		}
		d.known[id] = rec.Dest
	}
	return nil
}

// exists reports whether anything is at name, a dangling link included.
func exists(root *os.Root, name string) bool {
	_, err := root.Lstat(name)
	return err == nil
}
