package library

import "context"

// lock is a mutex that can be waited for in bounded time.
type lock chan struct{}

func newLock() lock { return make(lock, 1) }

func (l lock) Lock() { l <- struct{}{} }

func (l lock) Unlock() { <-l }

// lockBefore locks unless ctx ends first; the error is ctx's.
func (l lock) lockBefore(ctx context.Context) error {
	select {
	case l <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
