package store

import (
	"container/list"
	"os"
	"sync"
)

// opener opens a content's files by their index in the manifest.
type opener interface {
	openFile(file int) (*os.File, error)
}

type fileKey struct {
	in   opener
	file int
}

// openFile is a file in use or kept open for the next use. Its users hold a
// reference, so eviction never closes a file under an operation.
type openFile struct {
	*os.File
	writing sync.Mutex // one write at a time: the kernel spins where two want a file
	key     fileKey
	refs    int           // guarded by fileCache.mu
	elem    *list.Element // guarded by fileCache.mu; nil once it is out of the cache
}

// fileCache keeps the files used last open, so that a folder of thousands of
// files takes a bounded number of descriptors. Its mutex is not held over I/O.
type fileCache struct {
	mu   sync.Mutex
	max  int
	open map[fileKey]*openFile
	lru  list.List // of *openFile, the one used last in front
}

func newFileCache(most int) *fileCache {
	return &fileCache{max: most, open: map[fileKey]*openFile{}}
}

// acquire returns a content's file, open; the caller releases it.
func (c *fileCache) acquire(in opener, file int) (*openFile, error) {
	key := fileKey{in, file}
	if f := c.lookup(key); f != nil {
		return f, nil
	}
	osFile, err := in.openFile(file)
	if err != nil {
		return nil, err
	}
	f, unused := c.insert(key, osFile)
	for _, u := range unused {
		u.Close() // data is synced by Sync, which reports what it finds
	}
	return f, nil
}

func (c *fileCache) lookup(key fileKey) *openFile {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.open[key]
	if f != nil {
		f.refs++
		c.lru.MoveToFront(f.elem)
	}
	return f
}

// insert adds a file and returns those to close: others over the limit, or
// this one where somebody else was faster.
func (c *fileCache) insert(key fileKey, osFile *os.File) (f *openFile, unused []*os.File) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.open[key]; f != nil {
		f.refs++
		c.lru.MoveToFront(f.elem)
		return f, []*os.File{osFile}
	}
	f = &openFile{File: osFile, key: key, refs: 1}
	f.elem = c.lru.PushFront(f)
	c.open[key] = f
	for e := c.lru.Back(); e != nil && c.lru.Len() > c.max; {
		old := e.Value.(*openFile)
		e = e.Prev()
		if old.refs == 0 {
			c.remove(old)
			unused = append(unused, old.File)
		}
	}
	return f, unused
}

func (c *fileCache) release(f *openFile) {
	c.mu.Lock()
	f.refs--
	last := f.refs == 0 && f.elem == nil
	c.mu.Unlock()
	if last {
		f.Close()
	}
}

// purge closes all of a content's files, those in use when they are released.
func (c *fileCache) purge(in opener) {
	c.mu.Lock()
	var unused []*os.File
	for key, f := range c.open {
		if key.in == in {
			c.remove(f)
			if f.refs == 0 {
				unused = append(unused, f.File)
			}
		}
	}
	c.mu.Unlock()
	for _, f := range unused {
		f.Close()
	}
}

func (c *fileCache) remove(f *openFile) {
	delete(c.open, f.key)
	c.lru.Remove(f.elem)
	f.elem = nil
}
