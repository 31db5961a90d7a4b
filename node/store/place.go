package store

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"syscall"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/durable"
)

// place is the folder a content's files are in at the moment.
type place struct {
	m        *shoal.Manifest
	dir      *os.Root // nil where it is missing
	base     string   // of a folder that is looked up at each use, so that it may be replaced: its path below dir, which is the store's; else ""
	single   string   // name in the folder of a content that is one file; "" for a folder
	writable bool     // the partial folder
	syncs    *os.File // the partial folder once more, for syncAll; nil elsewhere
}

// name is a file's path below the folder.
func (p place) name(file int) string {
	if p.single != "" {
		return p.single
	}
	return p.m.Files()[file].Path
}

// fix returns the place with the folder that is there now as its dir, until the caller
// calls done. That dir is a root of its own: no link in the folder leads out of it, say to
// the files of other contents.
func (p place) fix() (fixed place, done func(), err error) {
	switch {
	case p.dir == nil:
		return p, nil, fs.ErrNotExist
	case p.base == "":
		return p, func() {}, nil
	}
	top, err := p.openTop()
	if err != nil {
		return p, nil, err
	}
	p.dir, p.base = top, ""
	return p, func() { top.Close() }, nil
}

// openTop opens the folder at base. A link in its place is not followed.
func (p place) openTop() (*os.Root, error) {
	info, err := p.dir.Lstat(p.base)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, &fs.PathError{Op: "open", Path: p.base, Err: syscall.ENOTDIR}
	}
	return p.dir.OpenRoot(p.base + "/")
}

// lstat reports on a file itself, not on what a link there points to.
func (p place) lstat(file int) (fs.FileInfo, error) {
	p, done, err := p.fix()
	if err != nil {
		return nil, err
	}
	defer done()
	return p.dir.Lstat(p.name(file))
}

// openRead opens a file for reading. It does not wait for a writer where
// somebody has put a named pipe.
func (p place) openRead(file int) (*os.File, error) {
	p, done, err := p.fix()
	if err != nil {
		return nil, err
	}
	defer done()
	return p.dir.OpenFile(p.name(file), os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// outOfFiles reports errors that say nothing about the file.
func outOfFiles(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

func (p place) close() {
	if p.dir != nil && p.base == "" {
		p.dir.Close()
	}
	if p.syncs != nil {
		p.syncs.Close()
	}
}

// fits reports whether what is there can be a complete f.
func fits(info fs.FileInfo, f shoal.File) bool {
	return info.Mode().IsRegular() && info.Size() == f.Length
}

// enter opens the place that the record names. A place that is missing is
// made where the content is partial, and no error elsewhere: whatever is wrong
// with it, nothing can be read there.
func (c *content) enter() error {
	var err error
	switch {
	case c.rec.inPlace():
		c.at, err = placeAt(c.m, c.rec.Path)
	case c.rec.Published:
		dir := c.d.destPath(c.rec.Dest)
		c.at = place{m: c.m}
		if c.m.IsFolder() {
			c.at.dir, c.at.base = c.d.root, dir
			var done func()
			if _, done, err = c.at.fix(); err == nil {
				done()
			}
		} else {
			dir, c.at.single = path.Split(dir)
			c.at.dir, err = c.d.root.OpenRoot(path.Clean(dir))
		}
	default:
		return c.enterPartial()
	}
	if outOfFiles(err) {
		return err
	}
	if err != nil {
		c.at.dir = nil
		c.d.cfg.Log.Warn("data is not where it was", "content", c.id, "err", err)
	}
	return nil
}

func (c *content) enterPartial() error {
	dir := c.d.partialPath(c.id)
	if err := c.d.root.Mkdir(dir, 0o755); err == nil {
		if err := durable.Sync(c.d.root, c.d.cfg.Partial); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return err
	}
	at := place{m: c.m, writable: true}
	if !c.m.IsFolder() {
		at.single = c.m.Files()[0].Path
	}
	var err error
	if at.dir, err = c.d.root.OpenRoot(dir); err != nil {
		return err
	}
	if at.syncs, err = at.dir.Open("."); err == nil {
		c.journal, err = c.d.openJournal(c.id)
	}
	if err != nil {
		at.close()
		return err
	}
	c.at = at
	c.ready = make([]bool, len(c.m.Files()))
	return nil
}

// leave closes the place and every file open in it. It may be called twice.
func (c *content) leave() {
	c.d.files.purge(c)
	c.d.folders.purge(c)
	c.at.close()
	c.at.dir = nil
	if c.journal != nil {
		c.journal.close()
		c.journal = nil
	}
}
