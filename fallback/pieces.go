package fallback

import "context"

// Pieces is what a [Fetcher] needs of whoever owns a content's pieces. It must
// be safe for concurrent use, and return soon where ctx ends.
type Pieces interface {
	// Claim takes missing pieces for the caller: consecutive, of one file, at
	// most max bytes together (but at least one piece), so that nobody else
	// requests them until Deliver or Release. ok is false while there is
	// nothing to claim.
	Claim(ctx context.Context, max int64) (first, count int, ok bool)
	// Deliver verifies and stores a claimed piece; data is the caller's again
	// on return. An error of kind [shoal.ErrCorrupt] says that it did not
	// verify: it stays claimed. Any other error is about this end, and final.
	Deliver(ctx context.Context, piece int, data []byte) error
	// Release gives claimed pieces back that were not delivered.
	Release(first, count int)
}
