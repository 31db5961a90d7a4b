package library

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/shoal-cdn/shoal"
)

const (
	lookUpTime = 10 * time.Second // for a tracker to answer, in one try
	maxLookUps = 16               // at a time: whoever asks for a content may be anybody
)

// lookUps finds manifests of contents that are not here. Those who ask for the
// same one share the answer.
type lookUps struct {
	shared singleflight.Group
	slots  chan struct{}
}

// lookUp asks the trackers for a manifest; [shoal.ErrNotFound] where they don't
// know the content.
func (l *Library) lookUp(ctx context.Context, id shoal.ContentID) (*shoal.Manifest, error) {
	answer := l.lookUps.shared.DoChan(string(id[:]), func() (any, error) {
		ctx, cancel := context.WithTimeoutCause(l.ctx, lookUpTime, fmt.Errorf("%w: no tracker answers", shoal.ErrUnavailable))
		defer cancel()
		select {
		case l.lookUps.slots <- struct{}{}:
			defer func() { <-l.lookUps.slots }()
		default: // waiting here would outlive those who ask
			return nil, fmt.Errorf("%w: enough contents are being looked up", shoal.ErrUnavailable)
		}
		m, _, err := l.ask(ctx, id)
		if err != nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return m, err
	})
	select {
	case a := <-answer:
		if a.Err != nil {
			return nil, fmt.Errorf("look up content %s: %w", id.Short(), a.Err)
		}
		return a.Val.(*shoal.Manifest), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
