package upload

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/netprobe"
)

// Cancel has servers delete what they have of an upload; that one has nothing is
// no error. A server that cannot be reached deletes it by itself later.
func Cancel(ctx context.Context, task string, candidates []Candidate) error {
	var errs []error
	for _, c := range candidates {
		errs = append(errs, c.cancel(ctx, task))
	}
	return errors.Join(errs...)
}

// cancel tries the candidate's addresses until one answers.
func (c Candidate) cancel(ctx context.Context, task string) error {
	var errs []error
	for _, t := range c.targets() {
		err := func() error {
			ctx, stop := context.WithTimeout(ctx, 5*time.Second)
			defer stop()
			cl, err := new(dialer).client(netprobe.Path{Target: t, Transport: netprobe.TCP})
			if err != nil {
				return err
			}
			defer cl.close()
			return cl.cancel(ctx, task)
		}()
		if err == nil || !errors.Is(err, shoal.ErrUnavailable) {
			return err
		}
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("cancel the upload on %s: %w", c.Name, errors.Join(errs...))
}
