package db

import (
	"errors"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// Web seeds are there again after the file is opened anew, in the record, in
// the list, and beside them the torrent they came with.
func TestWebSeeds(t *testing.T) {
	file := filepath.Join(t.TempDir(), "t.db")
	db := open1(t, file)
	ctx := t.Context()
	with := api.Content{ID: shoal.ContentID{7}, Name: "with", Created: t0.Add(time.Second), WebSeeds: []string{"http://a/", "http://b/"}}
	without := api.Content{ID: shoal.ContentID{8}, Name: "without", Created: t0}
	check(t, db.PutContent(ctx, with, []byte("torrent 7")))
	check(t, db.PutContent(ctx, without, []byte("torrent 8")))
	other := with
	other.WebSeeds = []string{"http://c/"}
	check(t, db.PutContent(ctx, other, []byte("other"))) // the first stays

	set := func(id shoal.ContentID, want, urls []string, torrent string) {
		t.Helper()
		err := db.UpdateWebSeeds(ctx, id, func(there []string) ([]string, []byte) {
			if !slices.Equal(there, want) {
				t.Errorf("there are %q, want %q", there, want)
			}
			if torrent == "" {
				return urls, nil
			}
			return urls, []byte(torrent)
		})
		check(t, err)
	}
	set(with.ID, with.WebSeeds, []string{"http://x/"}, "") // no torrent: no change
	set(without.ID, nil, []string{"http://a/"}, "new 8")
	set(without.ID, []string{"http://a/"}, []string{"http://b/", "http://a/"}, "newer 8")
	without.WebSeeds = []string{"http://b/", "http://a/"}
	err := db.UpdateWebSeeds(ctx, shoal.ContentID{9}, func([]string) ([]string, []byte) { return []string{"http://a/"}, []byte("x") })
	if !errors.Is(err, shoal.ErrNotFound) {
		t.Errorf("content that is not there: %v", err)
	}
	check(t, db.Close())

	db = open1(t, file)
	for _, c := range []struct {
		want    api.Content
		torrent string
	}{{with, "torrent 7"}, {without, "newer 8"}} {
		if got, err := db.Content(ctx, c.want.ID); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("content %+v, want %+v, %v", got, c.want, err)
		}
		if got, err := db.Torrent(ctx, c.want.ID); err != nil || string(got) != c.torrent {
			t.Errorf("torrent %q, want %q, %v", got, c.torrent, err)
		}
	}
	if got, err := db.Contents(ctx, 10); err != nil || !reflect.DeepEqual(got, []api.Content{with, without}) {
		t.Errorf("list %+v, %v", got, err)
	}
}
