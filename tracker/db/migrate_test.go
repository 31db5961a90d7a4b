package db

import (
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
	"github.com/shoal-cdn/shoal/tracker/tasks"
)

// oldDatabase makes a database as a tracker of an earlier version left it.
func oldDatabase(t *testing.T, version int64, statements ...string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "t.db")
	old, err := sql.Open("sqlite", file)
	check(t, err)
	p, err := migrator(old)
	check(t, err)
	_, err = p.UpTo(t.Context(), version)
	check(t, err)
	for _, s := range statements {
		_, err := old.Exec(s)
		check(t, err)
	}
	check(t, old.Close())
	return file
}

// TestOldDatabase: the tasks of a tracker that knew no priorities are there, as
// normal ones, and new ones beside them.
func TestOldDatabase(t *testing.T) {
	id := shoal.ContentID{7}
	file := oldDatabase(t, 3,
		`INSERT INTO contents (id, name, size, files, pieces, piece_length, created, torrent) VALUES ('`+id.String()+`', 'c', 100, 1, 1, 16384, 0, x'00')`,
		`INSERT INTO tasks (id, content, dest, state, created, version, limits) VALUES ('old', '`+id.String()+`', 'd', 'running', 5, 3, '{"egress_copies":2}')`,
		`INSERT INTO sub_tasks (task, node, name, state, error, unreachable, cancel, pieces, seconds, origin, peers, cross_carrier, upstream, wasted, faults, why)
			VALUES ('old', 'ida', 'a', 'running', '', 0, 0, 1, 1.5, 1, 2, 3, 4, 5, '[]', '{"active":1.5}')`)
	db := open1(t, file)
	ctx := t.Context()
	open, err := db.OpenTasks(ctx)
	check(t, err)
	if len(open) != 1 || open[0].ID != "old" || open[0].Priority != api.NormalPriority || open[0].Limits.EgressCopies != 2 || open[0].Version != 3 ||
		len(open[0].Nodes) != 1 || open[0].Nodes[0].Why != (api.Why{Active: 1.5}) {
		t.Fatalf("open tasks %+v", open)
	}
	check(t, db.CreateTask(ctx, tasks.Task{ID: "new", Content: id, Created: t0, Priority: api.MaxPriority, Nodes: []tasks.SubTask{{Node: "ida", Name: "a", State: api.Pending}}}))
	check(t, db.SaveTasks(ctx, []tasks.Change{{Task: open[0], State: api.Succeeded}}))
	check(t, db.Close())

	db = open1(t, file) // which is up to date by now
	list, err := db.Tasks(ctx, t0, 10, "")
	if err != nil || len(list) != 2 || list[0].ID != "new" || list[0].Priority != api.MaxPriority || list[1].Priority != api.NormalPriority {
		t.Errorf("tasks %+v, %v", list, err)
	}
	if _, err := db.Task(ctx, "none"); !errors.Is(err, shoal.ErrNotFound) {
		t.Errorf("a task that was never there: %v", err)
	}
}
