// Package uploadtest is an ingest server in memory, for tests of clients. It
// keeps the protocol of node/ingest/api for uploads with a torrent, and probes
// are answered; what it holds is gone with it.
package uploadtest
