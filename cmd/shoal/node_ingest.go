package main

import (
	"errors"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node"
	"github.com/shoal-cdn/shoal/node/ingest/uploads"
)

// ingestFlags are what "shoal node" says of uploads.
type ingestFlags struct {
	on                bool
	store, drop       string
	size, total, free shoal.Size
	open              int
	idle              time.Duration
}

func (f *ingestFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.BoolVar(&f.on, "ingest", false, "take uploads at the gateway's addresses")
	fs.StringVar(&f.store, "ingest-store", "", "`DIR` of the uploads, which several nodes may share (default one in --data)")
	fs.StringVar(&f.drop, "ingest-drop", "", "`DIR` in which FILE is seeded and distributed once FILE.task.json is beside it")
	f.size, f.free = 1<<40, 1<<30
	fs.Var(&f.size, "ingest-max", "largest upload; 0 for no limit")
	fs.Var(&f.total, "ingest-total", "room for all uploads together; 0 for no limit")
	fs.Var(&f.free, "ingest-free", "room that uploads leave free on the disk")
	fs.IntVar(&f.open, "ingest-open", 1000, "uploads that may be under way; 0 for no limit")
	fs.DurationVar(&f.idle, "ingest-idle", 7*24*time.Hour, "after which an upload without progress is deleted")
}

// set puts what the flags say into cfg.
func (f *ingestFlags) set(op string, cfg *node.Config) error {
	if !f.on {
		if f.store != "" || f.drop != "" {
			return usageError(op, "", "add --ingest", errors.New("--ingest-store and --ingest-drop are for nodes that take uploads"))
		}
		return nil
	}
	drop := f.drop
	if drop != "" {
		abs, err := filepath.Abs(drop)
		if err != nil {
			return failed(op, drop, err)
		}
		drop = abs
	}
	cfg.Ingest = node.IngestConfig{On: true, Store: f.store, Drop: drop, Limits: uploads.Limits{
		Size: int64(f.size), Total: int64(f.total), Free: int64(f.free), Open: f.open, Idle: f.idle,
	}}
	return nil
}
