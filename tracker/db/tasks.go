package db

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
	"github.com/shoal-cdn/shoal/tracker/tasks"
)

const (
	taskColumns = `tasks.id, content, contents.name, size, contents.pieces, dest, tasks.created, ended, version, bound, limits, priority`
	fromTasks   = ` FROM tasks JOIN contents ON contents.id = content `
)

// CreateTask records a new task. A task's ID that is taken is
// [shoal.ErrConflict].
func (db *DB) CreateTask(ctx context.Context, t tasks.Task) error {
	limits, err := json.Marshal(t.Limits)
	if err != nil {
		return fmt.Errorf("create task %s: %w: %w", t.ID, shoal.ErrInvalid, err)
	}
	return db.tx(ctx, "create task "+t.ID, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `
			INSERT INTO tasks (id, content, dest, state, created, version, bound, limits, priority) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
			ON CONFLICT (id) DO NOTHING`,
			t.ID, t.Content.String(), t.Dest, tasks.StateOf(t.Counts()), millis(t.Created), t.Version, t.Bound, string(limits), t.Priority)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return fmt.Errorf("%w: the ID is taken", shoal.ErrConflict)
		}
		return saveSubTasks(ctx, tx, t)
	})
}

// SaveTasks records changes of tasks, in one transaction.
func (db *DB) SaveTasks(ctx context.Context, changes []tasks.Change) error {
	if len(changes) == 0 {
		return nil
	}
	return db.tx(ctx, "save tasks", func(tx *sql.Tx) error {
		for _, c := range changes {
			if _, err := tx.ExecContext(ctx, `UPDATE tasks SET state = $2, ended = $3, version = $4, priority = $5 WHERE id = $1`,
				c.ID, c.State, nullTime(c.Ended), c.Version, c.Priority); err != nil {
				return err
			}
			if err := saveSubTasks(ctx, tx, c.Task); err != nil {
				return err
			}
		}
		return nil
	})
}

func saveSubTasks(ctx context.Context, tx *sql.Tx, t tasks.Task) error {
	stmt, err := tx.PrepareContext(ctx, `
		INSERT INTO sub_tasks (task, node, name, state, error, unreachable, cancel, pieces, seconds,
			origin, peers, cross_carrier, upstream, wasted, faults, why)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
		ON CONFLICT (task, node) DO UPDATE SET state = excluded.state, error = excluded.error,
			unreachable = excluded.unreachable, cancel = excluded.cancel, pieces = excluded.pieces,
			seconds = excluded.seconds, origin = excluded.origin, peers = excluded.peers,
			cross_carrier = excluded.cross_carrier, upstream = excluded.upstream, wasted = excluded.wasted,
			faults = excluded.faults, why = excluded.why`)
	if err != nil {
		return err
	}
	defer stmt.Close()
	for _, s := range t.Nodes {
		faults, err := json.Marshal(s.Faults)
		if err != nil {
			return err
		}
		why, err := json.Marshal(s.Why)
		if err != nil {
			return err
		}
		if _, err := stmt.ExecContext(ctx, t.ID, s.Node, s.Name, s.State, s.Error, flag(s.Unreachable), flag(s.Cancel), s.Pieces, s.Seconds,
			s.Bytes.Origin, s.Bytes.Peers, s.Bytes.CrossCarrier, s.Bytes.Upstream, s.Bytes.Wasted, string(faults), string(why)); err != nil {
			return err
		}
	}
	return nil
}

// Task returns one task.
func (db *DB) Task(ctx context.Context, id string) (t tasks.Task, err error) {
	err = scanTask(db.read.QueryRowContext(ctx, `SELECT `+taskColumns+fromTasks+`WHERE tasks.id = $1`, id), &t)
	if err != nil {
		return t, failure("task "+id, err)
	}
	t.Nodes, err = db.subTasks(ctx, id)
	return t, err
}

func (db *DB) subTasks(ctx context.Context, id string) ([]tasks.SubTask, error) {
	rows, err := db.read.QueryContext(ctx, `
		SELECT node, name, state, error, unreachable, cancel, pieces, seconds, origin, peers, cross_carrier, upstream, wasted, faults, why
		FROM sub_tasks WHERE task = $1 ORDER BY name, node`, id)
	return collect("task "+id, rows, err, func(s *tasks.SubTask) error {
		var unreachable, cancel int
		var faults, why string
		if err := rows.Scan(&s.Node, &s.Name, &s.State, &s.Error, &unreachable, &cancel, &s.Pieces, &s.Seconds,
			&s.Bytes.Origin, &s.Bytes.Peers, &s.Bytes.CrossCarrier, &s.Bytes.Upstream, &s.Bytes.Wasted, &faults, &why); err != nil {
			return err
		}
		s.Unreachable, s.Cancel = unreachable != 0, cancel != 0
		return cmp.Or(json.Unmarshal([]byte(faults), &s.Faults), json.Unmarshal([]byte(why), &s.Why))
	})
}

// OpenTasks returns the tasks that aren't over.
func (db *DB) OpenTasks(ctx context.Context) ([]tasks.Task, error) {
	rows, err := db.read.QueryContext(ctx, `SELECT `+taskColumns+fromTasks+`WHERE state IN ($1, $2) ORDER BY tasks.created`, api.Pending, api.Running)
	list, err := collect("open tasks", rows, err, func(t *tasks.Task) error { return scanTask(rows, t) })
	for i := range list {
		if err == nil {
			list[i].Nodes, err = db.subTasks(ctx, list[i].ID)
		}
	}
	return list, err
}

// page is a part of the list of tasks: $1 of them at most, from the one after the task
// $2 on, or from the newest.
const page = `
	WHERE $2 = '' OR tasks.created < (SELECT created FROM tasks AS t WHERE t.id = $2)
		OR tasks.created = (SELECT created FROM tasks AS t WHERE t.id = $2) AND tasks.id > $2
	ORDER BY tasks.created DESC, tasks.id LIMIT $1`

// Tasks returns tasks as they were last saved, newest first, without their
// sub-tasks: at most limit, those that come after one of this ID, or "" for the newest.
func (db *DB) Tasks(ctx context.Context, now time.Time, limit int, after string) ([]api.Task, error) {
	rows, err := db.read.QueryContext(ctx, `SELECT `+taskColumns+fromTasks+page, limit, after)
	list, err := collect("list tasks", rows, err, func(t *tasks.Task) error { return scanTask(rows, t) })
	if err != nil {
		return nil, err
	}
	rows, err = db.read.QueryContext(ctx, `
		SELECT task, state, count(*) FROM sub_tasks
		WHERE task IN (SELECT id FROM tasks `+page+`) GROUP BY task, state`, limit, after)
	type count struct {
		task  string
		state api.State
		n     int
	}
	counts, err := collect("list tasks", rows, err, func(c *count) error { return rows.Scan(&c.task, &c.state, &c.n) })
	if err != nil {
		return nil, err
	}
	byTask := make(map[string]map[api.State]int, len(list))
	for _, c := range counts {
		if byTask[c.task] == nil {
			byTask[c.task] = make(map[api.State]int)
		}
		byTask[c.task][c.state] = c.n
	}
	out := make([]api.Task, len(list))
	for i := range list {
		out[i] = list[i].API(now, byTask[list[i].ID])
	}
	return out, nil
}

// CountTasks returns the number of tasks by state.
func (db *DB) CountTasks(ctx context.Context) (map[api.State]int, error) {
	counts := make(map[api.State]int)
	rows, err := db.read.QueryContext(ctx, `SELECT state, count(*) FROM tasks GROUP BY state`)
	_, err = collect("count tasks", rows, err, func(*struct{}) error {
		var s api.State
		var n int
		err := rows.Scan(&s, &n)
		counts[s] = n
		return err
	})
	return counts, err
}

func scanTask(s scanner, t *tasks.Task) error {
	var content, limits string
	var created int64
	var ended sql.NullInt64
	if err := s.Scan(&t.ID, &content, &t.Name, &t.Size, &t.Pieces, &t.Dest, &created, &ended, &t.Version, &t.Bound, &limits, &t.Priority); err != nil {
		return err
	}
	t.Created = fromMillis(created)
	if ended.Valid {
		t.Ended = fromMillis(ended.Int64)
	}
	if err := json.Unmarshal([]byte(limits), &t.Limits); err != nil {
		return err
	}
	return t.Content.UnmarshalText([]byte(content))
}

func nullTime(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: millis(t), Valid: !t.IsZero()}
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}
