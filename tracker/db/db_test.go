package db

import (
	"errors"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
	"github.com/shoal-cdn/shoal/tracker/tasks"
)

var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func open1(t *testing.T, file string) *DB {
	t.Helper()
	db, err := Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// TestOneProcess: a second tracker on the same data would lose tasks.
func TestOneProcess(t *testing.T) {
	file := filepath.Join(t.TempDir(), "t.db")
	db := open1(t, file)
	if _, err := Open(t.Context(), file); !errors.Is(err, shoal.ErrConflict) {
		t.Errorf("opened twice: %v", err)
	}
	check(t, db.Close())
	open1(t, file)
}

// TestReopen: what was written is there after the file is opened again.
func TestReopen(t *testing.T) {
	file := filepath.Join(t.TempDir(), "odd name ?#%.db")
	db := open1(t, file)
	ctx := t.Context()
	content := api.Content{ID: shoal.ContentID{7}, Name: "ünï", Size: 1 << 40, Files: 2, Pieces: 9, PieceLength: 16384, Created: t0}
	check(t, db.PutContent(ctx, content, []byte("torrent")))
	check(t, db.PutContent(ctx, api.Content{ID: content.ID, Name: "other"}, []byte("other"))) // the first stays
	bound := 12.5
	task := tasks.Task{
		ID: "t1", Content: content.ID, Name: content.Name, Size: content.Size, Pieces: content.Pieces, Dest: "d", Created: t0, Version: 1, Bound: &bound,
		Priority: -7,
		Limits:   api.Limits{EgressCopies: 1.5, EgressRate: 7, Carriers: map[string]api.CarrierLimit{"c": {EgressCopies: 2, EgressRate: 3}}},
		Nodes:    []tasks.SubTask{{Node: "ida", Name: "a", State: api.Pending}, {Node: "idb", Name: "b", State: api.Pending}},
	}
	check(t, db.CreateTask(ctx, task))
	if err := db.CreateTask(ctx, task); !errors.Is(err, shoal.ErrConflict) || errors.Is(err, shoal.ErrUnavailable) {
		t.Errorf("created twice: %v", err)
	}
	over := task
	over.ID, over.Created, over.Bound = "t2", t0.Add(time.Second), nil
	check(t, db.CreateTask(ctx, over))
	over.Version, over.Ended = 5, t0.Add(time.Minute)
	over.Nodes = []tasks.SubTask{
		{Node: "ida", Name: "a", State: api.Failed, Error: "disk full", Unreachable: true, Cancel: true, Pieces: 3, Seconds: 1.5,
			Bytes: api.Bytes{Origin: 1, Peers: 2, CrossCarrier: 3, Upstream: 4, Wasted: 5},
			Why:   api.Why{Queued: 0.5, Active: 1, NoPeer: 2, SlowPeer: 3, Lease: 4, Upstream: 5, Disk: 6, Limit: 7.5}, Faults: []api.Fault{{Peer: "idb", Kind: "corrupt", Count: 2}}},
		{Node: "idb", Name: "b", State: api.Succeeded},
	}
	check(t, db.SaveTasks(ctx, []tasks.Change{{Task: over, State: api.Failed}}))
	check(t, db.SaveNodes(ctx, []api.Node{{NodeInfo: api.NodeInfo{ID: "old", Name: "a"}, Seen: t0}}))
	node := api.Node{NodeInfo: api.NodeInfo{ID: "ida", Name: "a", Up: 1, Down: 2, Locality: shoal.Locality{Carrier: "c", Region: "r", Site: "s"}}, Seen: t0.Add(time.Hour)}
	check(t, db.SaveNodes(ctx, []api.Node{node}))
	check(t, db.Close())

	db = open1(t, file)
	check(t, db.Ping(ctx))
	if got, err := db.Content(ctx, content.ID); err != nil || !reflect.DeepEqual(got, content) {
		t.Errorf("content %+v, %v", got, err)
	}
	if got, err := db.Torrent(ctx, content.ID); err != nil || string(got) != "torrent" {
		t.Errorf("torrent %q, %v", got, err)
	}
	if got, err := db.Task(ctx, "t2"); err != nil || !reflect.DeepEqual(got, over) {
		t.Errorf("task %+v\nwant %+v, %v", got, over, err)
	}
	if got, err := db.OpenTasks(ctx); err != nil || !reflect.DeepEqual(got, []tasks.Task{task}) {
		t.Errorf("open tasks %+v, %v", got, err)
	}
	if got, err := db.Nodes(ctx); err != nil || !reflect.DeepEqual(got, []api.Node{node}) {
		t.Errorf("nodes %+v, %v", got, err)
	}
	list, err := db.Tasks(ctx, t0.Add(time.Hour), 10, "")
	if err != nil || len(list) != 2 || list[0].ID != "t2" || list[0].State != api.Failed || list[0].Seconds != 59 || list[1].Counts[api.Pending] != 2 || list[1].Seconds != 3600 {
		t.Errorf("tasks %+v, %v", list, err)
	}
	if list, err := db.Tasks(ctx, t0, 1, ""); err != nil || len(list) != 1 || list[0].Counts[api.Failed] != 1 {
		t.Errorf("newest task %+v, %v", list, err)
	}
	if list, err := db.Tasks(ctx, t0, 10, "t2"); err != nil || len(list) != 1 || list[0].ID == "t2" || list[0].Counts[api.Pending] != 2 {
		t.Errorf("after the newest task %+v, %v", list, err)
	}
	if n, err := db.CountContents(ctx); err != nil || n != 1 {
		t.Errorf("%d contents, %v", n, err)
	}
	if n, err := db.CountTasks(ctx); err != nil || !reflect.DeepEqual(n, map[api.State]int{api.Pending: 1, api.Failed: 1}) {
		t.Errorf("tasks by state %v, %v", n, err)
	}
}

func TestErrors(t *testing.T) {
	db := open1(t, filepath.Join(t.TempDir(), "x.db"))
	ctx := t.Context()
	_, e1 := db.Content(ctx, shoal.ContentID{1})
	_, e2 := db.Torrent(ctx, shoal.ContentID{1})
	_, e3 := db.Task(ctx, "none")
	for _, err := range []error{e1, e2, e3} {
		if !errors.Is(err, shoal.ErrNotFound) || errors.Is(err, shoal.ErrUnavailable) {
			t.Errorf("missing row: %v", err)
		}
	}
	if err := db.CreateTask(ctx, tasks.Task{ID: "t", Created: t0}); !errors.Is(err, shoal.ErrUnavailable) {
		t.Errorf("task of a content that isn't there: %v", err)
	}
	check(t, db.Close())
	if err := db.Ping(ctx); !errors.Is(err, shoal.ErrUnavailable) {
		t.Errorf("closed: %v", err)
	}
	if _, err := Open(ctx, filepath.Join(t.TempDir(), "missing", "x.db")); err == nil {
		t.Error("opened in a directory that isn't there")
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
