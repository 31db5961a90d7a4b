package db

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/shoal-cdn/shoal"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

//go:embed migrations/*.sql
var migrations embed.FS

// DB is an open database. It is safe for concurrent use. Its errors are
// [shoal.ErrNotFound] where a row is missing, [shoal.ErrConflict] where one is
// in the way, else [shoal.ErrUnavailable].
type DB struct {
	read  *sql.DB
	write *sql.DB // one connection
	lock  *os.File
}

// Open opens the SQLite file, creating it or bringing its schema up to date
// as needed. One process at a time may have it open: [shoal.ErrConflict].
func Open(ctx context.Context, file string) (*DB, error) {
	db, err := open(ctx, file)
	if err != nil {
		return nil, fmt.Errorf("database %q: %w", file, err)
	}
	return db, nil
}

func open(ctx context.Context, file string) (*DB, error) {
	file, err := filepath.Abs(file) // the URL below has no room for a relative one
	if err != nil {
		return nil, err
	}
	held, err := os.OpenFile(file+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lock(held); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: another tracker has it open; stop that or choose another folder: %w", shoal.ErrConflict, err), held.Close())
	}
	pragmas := url.Values{
		"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"},
		"_txlock": {"immediate"}, // a writer waits at BEGIN, instead of failing at its first change
	}
	dsn := (&url.URL{Scheme: "file", Path: file, RawQuery: pragmas.Encode()}).String()
	write, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, errors.Join(err, held.Close())
	}
	write.SetMaxOpenConns(1)
	read, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, errors.Join(err, write.Close(), held.Close())
	}
	read.SetMaxOpenConns(4)
	db := &DB{read: read, write: write, lock: held}
	if err := db.migrate(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func (db *DB) migrate(ctx context.Context) error {
	p, err := migrator(db.write)
	if err == nil {
		_, err = p.Up(ctx)
	}
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// migrator brings a database from any schema to any other.
func migrator(to *sql.DB) (*goose.Provider, error) {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectSQLite3, to, sub, goose.WithDisableGlobalRegistry(true))
}

// Close closes the database; nothing may use it any more.
func (db *DB) Close() error { return errors.Join(db.read.Close(), db.write.Close(), db.lock.Close()) }

// Ping reports whether the database answers.
func (db *DB) Ping(ctx context.Context) error {
	var one int
	return failure("ping", db.read.QueryRowContext(ctx, `SELECT 1`).Scan(&one))
}

// tx runs f in a transaction of the writer.
func (db *DB) tx(ctx context.Context, op string, f func(*sql.Tx) error) error {
	tx, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return failure(op, err)
	}
	defer tx.Rollback() // after Commit it does nothing
	if err := f(tx); err != nil {
		return failure(op, err)
	}
	return failure(op, tx.Commit())
}

// failure gives a database's error its kind.
func failure(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("%s: %w", op, shoal.ErrNotFound)
	case errors.Is(err, shoal.ErrConflict):
		return fmt.Errorf("%s: %w", op, err)
	}
	return fmt.Errorf("database: %s: %w: %w", op, shoal.ErrUnavailable, err)
}

func millis(t time.Time) int64 { return t.UnixMilli() }

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
