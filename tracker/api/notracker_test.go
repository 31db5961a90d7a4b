package api

import (
	"errors"
	"testing"

	"github.com/shoal-cdn/shoal"
)

// Without trackers every call fails as where none answers.
func TestNoTracker(t *testing.T) {
	c := NoTracker()
	_, err := c.Torrent(t.Context(), shoal.ContentID{1})
	if !errors.Is(err, shoal.ErrUnavailable) || Answered(err) {
		t.Errorf("a torrent: %v", err)
	}
	if _, err := c.Announce(t.Context(), Announce{}); !errors.Is(err, shoal.ErrUnavailable) || c.Last() != "" {
		t.Errorf("an announce: %v, answered by %q", err, c.Last())
	}
}
