package store

import (
	"container/list"
	"io"
	"sync"
)

// openCache keeps the files or folders of contents that were used last open, so that
// thousands of them take a bounded number of descriptors. Its mutex is not held over
// I/O.
type openCache[K comparable, V io.Closer] struct {
	open func(*content, K) (V, error)

	mu   sync.Mutex
	max  int
	kept map[cacheKey[K]]*cached[K, V]
	lru  list.List // of *cached, the one used last in front
}

type cacheKey[K comparable] struct {
	in *content
	of K
}

// cached is in use or kept open for the next use. Its users hold a
// reference, so eviction never closes it under an operation.
type cached[K comparable, V io.Closer] struct {
	value V
	key   cacheKey[K]
	refs  int           // guarded by openCache.mu
	elem  *list.Element // guarded by openCache.mu; nil once it is out of the cache
}

func newOpenCache[K comparable, V io.Closer](most int, open func(*content, K) (V, error)) *openCache[K, V] {
	return &openCache[K, V]{open: open, max: most, kept: map[cacheKey[K]]*cached[K, V]{}}
}

// acquire returns what is wanted of a content, open; the caller releases it.
func (c *openCache[K, V]) acquire(in *content, of K) (*cached[K, V], error) {
	o, err := c.openOnce(in, of)
	if err == nil {
		c.keep(o)
	}
	return o, err
}

// openOnce is acquire for a single use: unless it is open already, or is kept by then, the
// release closes it.
func (c *openCache[K, V]) openOnce(in *content, of K) (*cached[K, V], error) {
	key := cacheKey[K]{in, of}
	if o := c.lookup(key); o != nil {
		return o, nil
	}
	v, err := c.open(in, of)
	if err != nil {
		return nil, err
	}
	return &cached[K, V]{value: v, key: key, refs: 1}, nil
}

// keep makes what the caller has opened once stay open for others, unless somebody else's does.
func (c *openCache[K, V]) keep(o *cached[K, V]) {
	c.mu.Lock()
	var unused []V
	if c.kept[o.key] == nil {
		unused = c.put(o)
	}
	c.mu.Unlock()
	for _, u := range unused {
		u.Close() // data is synced by Sync, which reports what it finds
	}
}

func (c *openCache[K, V]) lookup(key cacheKey[K]) *cached[K, V] {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.kept[key]
	if o != nil {
		o.refs++
		c.lru.MoveToFront(o.elem)
	}
	return o
}

// put adds o, of which there is none yet, and returns those to close. It needs c.mu.
func (c *openCache[K, V]) put(o *cached[K, V]) (unused []V) {
	o.elem = c.lru.PushFront(o)
	c.kept[o.key] = o
	for e := c.lru.Back(); e != nil && c.lru.Len() > c.max; {
		old := e.Value.(*cached[K, V])
		e = e.Prev()
		if old.refs == 0 {
			c.remove(old)
			unused = append(unused, old.value)
		}
	}
	return unused
}

func (c *openCache[K, V]) release(o *cached[K, V]) {
	c.mu.Lock()
	o.refs--
	last := o.refs == 0 && o.elem == nil
	c.mu.Unlock()
	if last {
		o.value.Close()
	}
}

// forget makes the next acquire open anew what the caller has acquired.
func (c *openCache[K, V]) forget(o *cached[K, V]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o.elem != nil {
		c.remove(o)
	}
}

// purge closes all of a content's, those in use when they are released.
func (c *openCache[K, V]) purge(in *content) {
	c.mu.Lock()
	var unused []V
	for key, o := range c.kept {
		if key.in == in {
			c.remove(o)
			if o.refs == 0 {
				unused = append(unused, o.value)
			}
		}
	}
	c.mu.Unlock()
	for _, v := range unused {
		v.Close()
	}
}

func (c *openCache[K, V]) remove(o *cached[K, V]) {
	delete(c.kept, o.key)
	c.lru.Remove(o.elem)
	o.elem = nil
}
