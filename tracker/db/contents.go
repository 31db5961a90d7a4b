package db

import (
	"context"
	"database/sql"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

const contentColumns = `id, name, size, files, pieces, piece_length, created`

// PutContent records a content; one that is there already stays as it is.
func (db *DB) PutContent(ctx context.Context, c api.Content, torrent []byte) error {
	_, err := db.write.ExecContext(ctx, `
		INSERT INTO contents (`+contentColumns+`, torrent) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (id) DO NOTHING`,
		c.ID.String(), c.Name, c.Size, c.Files, c.Pieces, c.PieceLength, millis(c.Created), torrent)
	return failure("put content "+c.ID.Short(), err)
}

// Content returns a content's record.
func (db *DB) Content(ctx context.Context, id shoal.ContentID) (c api.Content, err error) {
	row := db.read.QueryRowContext(ctx, `SELECT `+contentColumns+` FROM contents WHERE id = $1`, id.String())
	err = scanContent(row, &c)
	return c, failure("content "+id.Short(), err)
}

// Torrent returns a content's .torrent file.
func (db *DB) Torrent(ctx context.Context, id shoal.ContentID) (torrent []byte, err error) {
	err = db.read.QueryRowContext(ctx, `SELECT torrent FROM contents WHERE id = $1`, id.String()).Scan(&torrent)
	return torrent, failure("content "+id.Short(), err)
}

// Contents returns the newest contents, newest first.
func (db *DB) Contents(ctx context.Context, limit int) ([]api.Content, error) {
	rows, err := db.read.QueryContext(ctx, `SELECT `+contentColumns+` FROM contents ORDER BY created DESC, id LIMIT $1`, limit)
	return collect("list contents", rows, err, func(c *api.Content) error { return scanContent(rows, c) })
}

// CountContents returns how many contents there are.
func (db *DB) CountContents(ctx context.Context) (n int, err error) {
	err = db.read.QueryRowContext(ctx, `SELECT count(*) FROM contents`).Scan(&n)
	return n, failure("count contents", err)
}

type scanner interface{ Scan(...any) error }

var _, _ scanner = (*sql.Row)(nil), (*sql.Rows)(nil)

func scanContent(s scanner, c *api.Content) error {
	var id string
	var created int64
	if err := s.Scan(&id, &c.Name, &c.Size, &c.Files, &c.Pieces, &c.PieceLength, &created); err != nil {
		return err
	}
	c.Created = fromMillis(created)
	return c.ID.UnmarshalText([]byte(id))
}
