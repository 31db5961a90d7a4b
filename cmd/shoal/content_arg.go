package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// minPrefix is the fewest digits that may stand for a content.
const minPrefix = 6

const contentHint = "a content is named by its ID or the first digits of it; 'shoal contents' lists them"

// contentLister is what it takes to find a content by the first digits of its ID.
type contentLister interface {
	Contents(ctx context.Context) ([]api.Content, error)
}

// findContent reads a content ID, or finds the one content of the tracker
// whose ID begins with arg.
func findContent(ctx context.Context, op, arg string, c contentLister) (shoal.ContentID, error) {
	arg = strings.ToLower(arg)
	if len(arg) >= 64 || len(arg) < minPrefix || strings.Trim(arg, "0123456789abcdef") != "" {
		id, err := shoal.ParseContentID(arg)
		if err != nil {
			return id, usageError(op, arg, contentHint, errors.New("is no content ID"))
		}
		return id, nil
	}
	list, err := c.Contents(ctx)
	if err != nil {
		return shoal.ContentID{}, failed(op, arg, err)
	}
	var found []shoal.ContentID
	for _, ct := range list {
		if strings.HasPrefix(ct.ID.String(), arg) {
			found = append(found, ct.ID)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return shoal.ContentID{}, &opError{op: op, input: arg, hint: contentHint,
			cause: fmt.Errorf("%w: no content's ID begins so", shoal.ErrNotFound)}
	}
	return shoal.ContentID{}, &opError{op: op, input: arg, hint: "give more digits",
		cause: fmt.Errorf("%w: %d contents' IDs begin so", shoal.ErrConflict, len(found))}
}
