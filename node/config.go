package node

import (
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/shoal-cdn/shoal"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// Config is what a node is started with.
type Config struct {
	// Name is the operator's name for the node, unique among live nodes; see
	// [tapi.CheckName]. Required.
	Name string

	// Data is the folder for all that the node keeps, on one file system. It
	// is created where missing; one process at a time may use it. Required.
	Data string

	// Listen is the HOST:PORT on which peers reach the node over TCP and
	// QUIC. Without a host it is all addresses of the machine; port 0 picks a
	// free one, another at each start. "" means ":0".
	Listen string

	// HTTP is the HOST:PORT of the node's HTTP API (node/api). Who reaches it
	// can steer the node, so it belongs on loopback or a management network.
	// Port 0 picks a free one. "" means no API.
	HTTP string

	// Trackers are the base URLs of one or more trackers. The first that
	// answers is used; the others are for when it does not. Required.
	Trackers []string

	// Locality says where the node stands; empty fields are unknown.
	Locality shoal.Locality

	// Up and Down are the link's rates in bytes a second: the node sends and
	// receives payload no faster. 0 means unknown, and no limit. Negative
	// values are not allowed.
	Up, Down shoal.Rate

	// Guest nodes take part in swarms and are never given tasks.
	Guest bool

	// Log takes what happens; nil discards it.
	Log *slog.Logger
}

func (c Config) withDefaults() (Config, error) {
	if err := tapi.CheckName(c.Name); err != nil {
		return c, fmt.Errorf("node: %w", err)
	}
	if c.Data == "" {
		return c, fmt.Errorf("node: %w: no data folder", shoal.ErrInvalid)
	}
	if c.Up < 0 || c.Down < 0 {
		return c, fmt.Errorf("node: %w: negative rate", shoal.ErrInvalid)
	}
	abs, err := filepath.Abs(c.Data)
	if err != nil {
		return c, fmt.Errorf("node: data folder: %w", err)
	}
	c.Data = abs
	if c.Listen == "" {
		c.Listen = ":0"
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c, nil
}
