package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/netprobe"
	ingest "github.com/shoal-cdn/shoal/node/ingest/api"
	"github.com/shoal-cdn/shoal/node/spool"
	"github.com/shoal-cdn/shoal/node/upload"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// targetFlags say where uploads go.
type targetFlags struct {
	trackers []string
	servers  []string
	here     shoal.Locality
}

func (f *targetFlags) add(cmd *cobra.Command) {
	trackerFlag(cmd, &f.trackers)
	fs := cmd.Flags()
	fs.StringSliceVar(&f.servers, "to-server", nil, "`URL` of an ingest server to upload to, rather than those that the tracker names; https://NODE-ID@HOST:PORT checks the node's key")
	fs.StringVar(&f.here.Carrier, "carrier", "", "network operator that this machine's link belongs to")
	fs.StringVar(&f.here.Region, "region", "", "region it is in")
	fs.StringVar(&f.here.Site, "site", "", "data centre or LAN it is in")
}

// target checks the flags.
func (f *targetFlags) target(op string) (spool.Target, error) {
	t := spool.Target{Servers: f.servers, Here: f.here}
	if len(f.servers) == 0 {
		t.Trackers = f.trackers
		_, err := trackerClient(op, f.trackers)
		return t, err
	}
	_, err := candidatesAt(op, f.servers)
	return t, err
}

// candidatesOf says how the servers for a target are found.
func candidatesOf(_ *app, t spool.Target) (func(context.Context, spool.Item) ([]upload.Candidate, error), error) {
	const op = "find ingest servers"
	if len(t.Servers) > 0 {
		cs, err := candidatesAt(op, t.Servers)
		return func(context.Context, spool.Item) ([]upload.Candidate, error) { return cs, nil }, err
	}
	c, err := trackerClient(op, t.Trackers)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, it spool.Item) ([]upload.Candidate, error) {
		servers, err := c.IngestServers(ctx, it.Target.Here)
		if err != nil {
			return nil, err
		}
		cs := make([]upload.Candidate, len(servers))
		for i, s := range servers {
			cs[i] = upload.Candidate{Name: s.Name, Node: s.ID, URLs: s.Gateway, Locality: s.Locality, Down: s.Down}
		}
		return cs, nil
	}, nil
}

// candidatesAt reads the URLs that --to-server was given.
func candidatesAt(op string, urls []string) ([]upload.Candidate, error) {
	const hint = "--to-server wants http://HOST:PORT, https://HOST:PORT, or https://NODE-ID@HOST:PORT for a node that proves itself by its key"
	var cs []upload.Candidate
	for _, s := range urls {
		var c upload.Candidate
		if u, err := url.Parse(s); err == nil && u.User != nil {
			id, err := shoal.ParseNodeID(u.User.Username())
			if _, secret := u.User.Password(); err != nil || secret || u.Scheme != "https" {
				return nil, usageError(op, u.Redacted(), hint, errors.New("what stands before the @ is no node's ID"))
			}
			u.User = nil
			c.Node, s = id, u.String()
		}
		t, err := netprobe.ParseTarget(s)
		if err != nil {
			return nil, usageError(op, s, hint, errors.New("is no server's address"))
		}
		c.Name, c.URLs = strings.TrimPrefix(strings.TrimPrefix(t.URL, "https://"), "http://"), []string{t.URL}
		cs = append(cs, c)
	}
	return cs, nil
}

// distributeFlags ask for a distribution of what is uploaded.
type distributeFlags struct {
	file  string
	nodes []string
	dest  string
	after bool

	priority api.Priority
}

func (f *distributeFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.file, "task", "", "`FILE` in JSON with the distribution that the upload is for")
	fs.StringSliceVar(&f.nodes, "to", nil, "`NAMES` of the nodes to distribute it to, separated by commas, or all")
	fs.StringVar(&f.dest, "dest", "", "`PATH` below these nodes' files (default the content's name)")
	priorityFlag(cmd, &f.priority, "default 0")
	fs.BoolVar(&f.after, "after-upload", false, "distribute it when the upload is complete, not while it is running")
}

// maxTaskFile bounds a task file in bytes.
const maxTaskFile = 1 << 20

// distribution is what the flags ask for; nil where they don't.
func (f *distributeFlags) distribution(op string) (*ingest.Distribute, error) {
	var d ingest.Distribute
	switch {
	case f.file != "" && (len(f.nodes) > 0 || f.dest != "" || f.priority != 0):
		return nil, usageError(op, f.file, "give the nodes in the file or on the command line", errors.New("--task goes without --to, --dest and --priority"))
	case f.file != "":
		if err := readTaskFile(f.file, &d); err != nil {
			return nil, usageError(op, f.file, `--task wants a file such as {"nodes": ["all"], "dest": "images/base.img"}`, err)
		}
	case len(f.nodes) > 0:
		names, err := nodeNames(f.nodes)
		if err != nil {
			return nil, err
		}
		d.NewTask = api.NewTask{Nodes: names, Dest: f.dest, Priority: f.priority}
	case f.dest != "" || f.priority != 0 || f.after:
		return nil, usageError(op, "", "say which nodes, such as --to all", errors.New("--to is missing"))
	default:
		return nil, nil
	}
	if f.after {
		d.When = ingest.AtComplete
	}
	if err := api.CheckDest(d.Dest); err != nil {
		return nil, usageError(op, d.Dest, "--dest wants a relative path below the nodes' files", err)
	}
	if err := d.Check(); err != nil {
		return nil, usageError(op, f.file, "see 'shoal task create --help' for what a task can have", err)
	}
	return &d, nil
}

// readTaskFile reads a distribution: the task is that of the upload, so that it names no
// content.
func readTaskFile(path string, d *ingest.Distribute) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxTaskFile+1))
	switch {
	case err != nil:
		return err
	case len(text) > maxTaskFile:
		return fmt.Errorf("%w: more than %d bytes", shoal.ErrInvalid, maxTaskFile)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(d); err != nil {
		return fmt.Errorf("%w: %w", shoal.ErrInvalid, err)
	}
	if d.ID != "" || !d.Content.IsZero() || len(d.Nodes) == 0 {
		return fmt.Errorf("%w: want nodes, and neither task nor content, which are those of the upload", shoal.ErrInvalid)
	}
	return nil
}

// item is what the command line says of an upload.
func (o *uploadOptions) item(op, arg string) (spool.New, error) {
	n := spool.New{Path: arg, Copy: o.copy}
	var err error
	if n.Target, err = o.target.target(op); err != nil {
		return n, err
	}
	if n.Distribute, err = o.distribute.distribution(op); err != nil {
		return n, err
	}
	switch {
	case o.wait && n.Distribute == nil:
		err = usageError(op, "", "say what to wait for: --to NODES or --task FILE", errors.New("--wait goes with a distribution"))
	case o.wait && o.spool != "":
		err = usageError(op, o.spool, "'shoal task watch' follows it later", errors.New("--wait does not go with --spool"))
	case o.copy && o.spool == "":
		err = usageError(op, "", "without --spool nothing is kept", errors.New("--copy goes with --spool"))
	case o.timeout < 0:
		err = usageError(op, o.timeout.String(), "--timeout wants a DURATION, such as 10m", errors.New("negative"))
	}
	return n, err
}
