package uploads

import (
	"container/list"
	"os"
	"sync"
)

// fileKey is one data file of an upload.
type fileKey struct {
	of   *Upload
	file int
}

// openFile is a file in use, or kept open for the next use.
type openFile struct {
	*os.File
	key   fileKey
	refs  int           // guarded by files.mu
	elem  *list.Element // guarded by files.mu; nil once it is not to be used again
	cache *files
}

// files keeps the files used last open, a bounded number of them. Its users hold
// references, so that none is closed under an operation.
type files struct {
	most int

	mu   sync.Mutex
	open map[fileKey]*openFile
	lru  list.List // of *openFile, the one used last in front
}

func newFiles(most int) *files { return &files{most: most, open: make(map[fileKey]*openFile)} }

// acquire returns a file, which the caller releases.
func (c *files) acquire(key fileKey) (*openFile, error) {
	c.mu.Lock()
	if f := c.open[key]; f != nil {
		f.refs++
		c.lru.MoveToFront(f.elem)
		c.mu.Unlock()
		return f, nil
	}
	c.mu.Unlock()
	file, err := key.of.openData(key.file)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.open[key]; f != nil { // another was as quick
		_ = file.Close() // nothing was written by it
		f.refs++
		return f, nil
	}
	f := &openFile{File: file, key: key, refs: 1, cache: c}
	f.elem = c.lru.PushFront(f)
	c.open[key] = f
	for e := c.lru.Back(); e != nil && c.lru.Len() > c.most; {
		old := e.Value.(*openFile)
		e = e.Prev()
		if old.refs == 0 {
			c.discard(old)
		}
	}
	return f, nil
}

// release ends one use.
func (f *openFile) release() {
	f.cache.mu.Lock()
	defer f.cache.mu.Unlock()
	f.refs--
	if f.refs == 0 && f.elem == nil {
		_ = f.Close() // what was written is synced by itself, and errors are seen there
	}
}

// forget has a file opened anew for the next use.
func (c *files) forget(key fileKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.open[key]; f != nil {
		c.discard(f)
	}
}

// forgetAll is forget for all files of an upload, or for all there are where that is nil.
func (c *files) forgetAll(of *Upload) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, f := range c.open {
		if of == nil || key.of == of {
			c.discard(f)
		}
	}
}

// discard needs mu.
func (c *files) discard(f *openFile) {
	delete(c.open, f.key)
	c.lru.Remove(f.elem)
	f.elem = nil
	if f.refs == 0 {
		_ = f.Close()
	}
}
