package uploads

import (
	"container/list"
	"io"
	"sync"
)

// handles keeps the files or folders used last open, a bounded number of them. Its users hold
// references, so that none is closed under an operation.
type handles[K comparable, H io.Closer] struct {
	most int
	open func(key K) (H, error) // opens what is not open

	mu   sync.Mutex
	held map[K]*handle[K, H]
	lru  list.List // of *handle, the one used last in front
	gone uint64    // counts what was to be forgotten
}

// handle is what is in use, or kept open for the next use.
type handle[K comparable, H io.Closer] struct {
	H    H
	key  K
	refs int
	elem *list.Element // nil once it is not to be used again
}

func newHandles[K comparable, H io.Closer](most int, open func(K) (H, error)) *handles[K, H] {
	return &handles[K, H]{most: most, open: open, held: make(map[K]*handle[K, H])}
}

// acquire returns what key is of, until the caller calls release, once.
func (c *handles[K, H]) acquire(key K) (h H, release func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := c.held[key]
	if kept == nil {
		gone := c.gone
		c.mu.Unlock()
		opened, err := c.open(key)
		c.mu.Lock()
		if err != nil {
			return h, nil, err
		}
		kept = c.held[key]
		switch {
		case kept != nil: // another was as quick
			_ = opened.Close() // nothing was written by it
		case gone != c.gone: // it may be from before that: for this use only
			kept = &handle[K, H]{H: opened, key: key}
		default:
			kept = &handle[K, H]{H: opened, key: key}
			kept.elem = c.lru.PushFront(kept)
			c.held[key] = kept
			defer c.shrink()
		}
	}
	kept.refs++
	if kept.elem != nil {
		c.lru.MoveToFront(kept.elem)
	}
	return kept.H, func() { c.release(kept) }, nil
}

// shrink closes what is too many and not in use. It needs mu.
func (c *handles[K, H]) shrink() {
	for e := c.lru.Back(); e != nil && c.lru.Len() > c.most; {
		old := e.Value.(*handle[K, H])
		e = e.Prev()
		if old.refs == 0 {
			c.discard(old)
		}
	}
}

func (c *handles[K, H]) release(h *handle[K, H]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h.refs--
	if h.refs == 0 && h.elem == nil {
		_ = h.H.Close() // what was written is synced by itself, and errors are seen there
	}
}

// forget has what key is of opened anew for the next use.
func (c *handles[K, H]) forget(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone++
	if h := c.held[key]; h != nil {
		c.discard(h)
	}
}

// forgetIf is forget for many keys.
func (c *handles[K, H]) forgetIf(is func(key K) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone++
	for key, h := range c.held {
		if is(key) {
			c.discard(h)
		}
	}
}

// discard needs mu.
func (c *handles[K, H]) discard(h *handle[K, H]) {
	delete(c.held, h.key)
	c.lru.Remove(h.elem)
	h.elem = nil
	if h.refs == 0 {
		_ = h.H.Close()
	}
}
