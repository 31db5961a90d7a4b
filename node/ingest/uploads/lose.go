package uploads

// lose makes it durable that chunks are not what they were, so that they are sent again.
func (u *Upload) lose(chunks []int) error {
	if err := u.Sync(u.store.ctx); err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for u.running != nil { // the log is written by one at a time
		b := u.running
		u.mu.Unlock()
		<-b.done
		u.mu.Lock()
	}
	if u.complete() { // another process found it right
		return nil
	}
	b := &batch{done: make(chan struct{})}
	u.running = b
	entries := make([]entry, len(chunks))
	for i, k := range chunks {
		entries[i] = u.ledger.lose(k)
	}
	u.mu.Unlock()

	err := u.appending.append(u, entries)

	u.mu.Lock()
	if err == nil && !u.complete() {
		for i, k := range chunks {
			u.ledger.take(entries[i])
			u.held.Remove(k)
			u.proven.Remove(k)
		}
	}
	u.running, b.err = nil, err
	close(b.done)
	u.startCommit()
	u.slim()
	return err
}
