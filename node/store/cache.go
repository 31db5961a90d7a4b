package store

// A content that is read while it arrives, by peers or the gateway's clients, will be
// read again soon: from then on it stays in the page cache. What nobody has asked for goes from
// there once it is durable. It would push out what others read, and every page of it would be memory
// that the system has to find and clear first, which takes longer than all else that
// writing does (docs/adr/0011).

// wasRead notes that somebody wants the content's data.
func (c *content) wasRead() {
	if !c.read.Load() { // shared by all readers: written to seldom
		c.read.Store(true)
	}
}

// keepCached says at the beginning of a flush whether its data is to stay in the page cache.
func (c *content) keepCached() bool { return c.read.Load() }
