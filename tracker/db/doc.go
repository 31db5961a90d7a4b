// Package db is the tracker's hard state: nodes, contents and tasks in SQL.
//
// The queries are written by hand for SQLite and PostgreSQL alike: numbered
// parameters, upserts, integers for times (milliseconds since 1970) and
// booleans, no types or functions of one of them. What differs is how a
// database is opened.
//
// SQLite runs in WAL mode, so that readers don't wait for the writer, with
// synchronous=FULL: what the tracker has answered must survive a power cut,
// and a WAL commit at NORMAL doesn't. That costs one fsync a commit, and
// commits are few: changes are gathered while one is under way. One
// connection writes, since SQLite has room for one writer; others read.
package db
