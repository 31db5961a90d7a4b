package db

import (
	"context"
	"database/sql"

	"github.com/shoal-cdn/shoal/tracker/api"
)

// SaveNodes records nodes as they are now. Another node that had one's name is
// dropped: it has lost it.
func (db *DB) SaveNodes(ctx context.Context, nodes []api.Node) error {
	if len(nodes) == 0 {
		return nil
	}
	return db.tx(ctx, "save nodes", func(tx *sql.Tx) error {
		for _, n := range nodes {
			if _, err := tx.ExecContext(ctx, `DELETE FROM nodes WHERE name = $1 AND id <> $2`, n.Name, n.ID); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `
				INSERT INTO nodes (id, name, up, down, carrier, region, site, first_seen, last_seen)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
				ON CONFLICT (id) DO UPDATE SET name = excluded.name, up = excluded.up, down = excluded.down,
					carrier = excluded.carrier, region = excluded.region, site = excluded.site, last_seen = excluded.last_seen`,
				n.ID, n.Name, n.Up, n.Down, n.Carrier, n.Region, n.Site, millis(n.Seen)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Nodes returns the nodes that were recorded, as dead ones.
func (db *DB) Nodes(ctx context.Context) ([]api.Node, error) {
	rows, err := db.read.QueryContext(ctx, `SELECT id, name, up, down, carrier, region, site, last_seen FROM nodes ORDER BY last_seen DESC`)
	return collect("list nodes", rows, err, func(n *api.Node) error {
		var seen int64
		err := rows.Scan(&n.ID, &n.Name, &n.Up, &n.Down, &n.Carrier, &n.Region, &n.Site, &seen)
		n.Seen = fromMillis(seen)
		return err
	})
}

// collect reads all rows of a query's result.
func collect[T any](op string, rows *sql.Rows, err error, scan func(*T) error) ([]T, error) {
	if err != nil {
		return nil, failure(op, err)
	}
	defer rows.Close()
	var list []T
	for rows.Next() {
		var v T
		if err := scan(&v); err != nil {
			return nil, failure(op, err)
		}
		list = append(list, v)
	}
	return list, failure(op, rows.Err())
}
