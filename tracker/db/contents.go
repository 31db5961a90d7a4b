package db

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

const contentColumns = `id, name, size, files, pieces, piece_length, created`

// selectContents reads what scanContent takes.
const selectContents = `SELECT ` + contentColumns + `, coalesce(web_seeds.urls, '')
	FROM contents LEFT JOIN web_seeds ON web_seeds.content = contents.id `

// PutContent records a content; one that is there already stays as it is.
func (db *DB) PutContent(ctx context.Context, c api.Content, torrent []byte) error {
	return db.tx(ctx, "put content "+c.ID.Short(), func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `
			INSERT INTO contents (`+contentColumns+`, torrent) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (id) DO NOTHING`,
			c.ID.String(), c.Name, c.Size, c.Files, c.Pieces, c.PieceLength, millis(c.Created), torrent)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 || len(c.WebSeeds) == 0 {
			return err
		}
		return putWebSeeds(ctx, tx, c.ID, c.WebSeeds)
	})
}

// UpdateWebSeeds replaces a content's web seeds by what change makes of those
// there are, together with its .torrent file, which has them too. Where change
// returns no torrent all stays as it is. change runs within the transaction.
func (db *DB) UpdateWebSeeds(ctx context.Context, id shoal.ContentID, change func(there []string) (urls []string, torrent []byte)) error {
	return db.tx(ctx, "update the web seeds of content "+id.Short(), func(tx *sql.Tx) error {
		var text string
		err := tx.QueryRowContext(ctx, `SELECT urls FROM web_seeds WHERE content = $1`, id.String()).Scan(&text)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		urls, torrent := change(splitURLs(text))
		if torrent == nil {
			return nil
		}
		res, err := tx.ExecContext(ctx, `UPDATE contents SET torrent = $1 WHERE id = $2`, torrent, id.String())
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return cmp.Or(err, sql.ErrNoRows)
		}
		return putWebSeeds(ctx, tx, id, urls)
	})
}

func putWebSeeds(ctx context.Context, tx *sql.Tx, id shoal.ContentID, urls []string) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO web_seeds (content, urls) VALUES ($1, $2)
		ON CONFLICT (content) DO UPDATE SET urls = excluded.urls`, id.String(), strings.Join(urls, "\n"))
	return err
}

// splitURLs undoes strings.Join: no URL has a line break.
func splitURLs(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// Content returns a content's record.
func (db *DB) Content(ctx context.Context, id shoal.ContentID) (c api.Content, err error) {
	row := db.read.QueryRowContext(ctx, selectContents+`WHERE id = $1`, id.String())
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
	rows, err := db.read.QueryContext(ctx, selectContents+`ORDER BY created DESC, id LIMIT $1`, limit)
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
	var id, urls string
	var created int64
	if err := s.Scan(&id, &c.Name, &c.Size, &c.Files, &c.Pieces, &c.PieceLength, &created, &urls); err != nil {
		return err
	}
	c.Created, c.WebSeeds = fromMillis(created), splitURLs(urls)
	return c.ID.UnmarshalText([]byte(id))
}
