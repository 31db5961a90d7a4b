package tracker

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/shoal-cdn/shoal"
)

// A content that is registered again may get more web seeds (BEP 19), and never
// loses one but for lack of room.
func TestWebSeedsAddUp(t *testing.T) {
	m := content(t, 7)
	urls := func(from, to int) (list []string) {
		for i := from; i < to; i++ {
			list = append(list, fmt.Sprintf("http://h/%d", i))
		}
		return list
	}
	most := shoal.MaxWebSeeds
	bubble(t, func(t *testing.T, f *fixture) {
		for _, step := range []struct {
			put, want []string
		}{
			{nil, nil},
			{urls(0, 2), urls(0, 2)},
			{nil, urls(0, 2)}, // another node seeds the same
			{urls(0, 2), urls(0, 2)},
			{urls(5, 6), append(urls(5, 6), urls(0, 2)...)},
			{urls(0, 1), append(urls(0, 1), append(urls(5, 6), urls(1, 2)...)...)}, // given again, it is the newest
			{urls(100, 100+most), urls(100, 100+most)},
			{urls(7, 8), append(urls(7, 8), urls(100, 99+most)...)},
		} {
			with := must(m.WithWebSeeds(step.put))
			if c := must(f.client.PutContent(t.Context(), with.Torrent())); !slices.Equal(c.WebSeeds, step.want) || c.ID != m.ID() {
				t.Errorf("put %q: web seeds %q, want %q", step.put, c.WebSeeds, step.want)
			}
			got := must(shoal.DecodeManifest(must(f.client.Torrent(t.Context(), m.ID()))))
			if !slices.Equal(got.WebSeeds(), step.want) || got.ID() != m.ID() || !reflect.DeepEqual(got.Files(), m.Files()) {
				t.Errorf("put %q: the torrent has web seeds %q, want %q", step.put, got.WebSeeds(), step.want)
			}
			if list := must(f.client.Contents(t.Context())); len(list) != 1 || !slices.Equal(list[0].WebSeeds, step.want) {
				t.Errorf("put %q: listed %+v", step.put, list)
			}
		}
	})
}
