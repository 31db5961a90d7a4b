package node

import (
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/fallback"
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

	// Announce are further addresses at which peers reach the node, IP:PORT or an
	// IP with the port of Listen: those of an address translation before it.
	Announce []string

	// HTTP is the HOST:PORT of the node's HTTP API (node/api). Who reaches it
	// can steer the node, so it belongs on loopback or a management network.
	// Port 0 picks a free one. "" means no API.
	HTTP string

	// Gateway serves contents over HTTP; see package gateway.
	Gateway GatewayConfig

	// Ingest takes uploads.
	Ingest IngestConfig

	// Trackers are the base URLs of one or more trackers. The first that
	// answers is used; the others are for when it does not. Required, unless
	// peers can be found on the LAN.
	Trackers []string

	// LANPort is the UDP port for finding peers on the local network without a
	// tracker, the same on all nodes; see package lan. 0 means that the node
	// neither looks for peers there nor answers those that do.
	LANPort uint16

	// Locality says where the node stands; empty fields the tracker fills in where
	// it knows them by the node's addresses.
	Locality shoal.Locality

	// Up and Down are the link's rates in bytes a second: the node sends and
	// receives payload no faster. 0 means unknown, and no limit. Negative
	// values are not allowed.
	Up, Down shoal.Rate

	// MaxTasks is how many contents are fetched for tasks at a time; further ones wait, and
	// begin in the order of their priority and age (package subtask). 0 means
	// [DefaultMaxTasks]. Negative values are not allowed.
	MaxTasks int

	// Web fetches what is seeded from a URL. It says which addresses may be
	// reached, with errors of kind [shoal.ErrInvalid] for the others: the URL is
	// the choice of whoever reaches the API. nil means no seeding from URLs.
	Web *http.Client

	// WebGuard says which addresses web seeds may lead to; the zero value: public
	// ones only.
	WebGuard fallback.Guard

	// WebMax is the largest file that is seeded from a URL, in bytes; 0 means
	// 1 TiB. Negative values are not allowed.
	WebMax int64

	// DHT has the node find and be found in the operator's own DHT while no tracker
	// answers; see package dht.
	DHT bool

	// Guest nodes take part in swarms and are never given tasks.
	Guest bool

	// Log takes what happens; nil discards it.
	Log *slog.Logger
}

// DefaultMaxTasks is how many contents are fetched for tasks at a time unless a [Config]
// says otherwise.
const DefaultMaxTasks = 8

// GatewayConfig says where a node's gateway is and what it may cost.
type GatewayConfig struct {
	// Plain is the HOST:PORT for HTTP without TLS, TLS the one for HTTPS on TCP and
	// HTTP/3 on UDP. Port 0 picks a free one; "" leaves one out, both: no gateway.
	Plain, TLS string

	// Cert and Key are PEM files with a certificate for the names that clients know
	// the node by, and its key. Other nodes, and clients that ask for no such name,
	// are shown one that proves the node's ID. "" means only that one.
	Cert, Key string

	// Rate bounds the payload of all transfers together, in bytes a second; what
	// peers get is bounded apart from it. 0 means Up. Negative values are not allowed.
	Rate shoal.Rate

	// Fetch is how much room contents may take, all together and in bytes, that are
	// fetched because somebody has asked the gateway for them. In no case is the
	// last tenth of the disk used for them. 0 means that none are. Negative values
	// are not allowed.
	Fetch shoal.Size
}

func (c GatewayConfig) check() error {
	switch {
	case c.Rate < 0 || c.Fetch < 0:
		return fmt.Errorf("node: gateway: %w: negative rate or size", shoal.ErrInvalid)
	case (c.Cert == "") != (c.Key == ""):
		return fmt.Errorf("node: gateway: %w: a certificate and its key go together", shoal.ErrInvalid)
	case c.Cert != "" && c.TLS == "":
		return fmt.Errorf("node: gateway: %w: a certificate, and no address for TLS", shoal.ErrInvalid)
	}
	return nil
}

func (c Config) withDefaults() (Config, error) {
	if err := tapi.CheckName(c.Name); err != nil {
		return c, fmt.Errorf("node: %w", err)
	}
	if c.Data == "" {
		return c, fmt.Errorf("node: %w: no data folder", shoal.ErrInvalid)
	}
	if len(c.Trackers) == 0 && c.LANPort == 0 {
		return c, fmt.Errorf("node: %w: neither a tracker nor LAN discovery", shoal.ErrInvalid)
	}
	if c.Up < 0 || c.Down < 0 {
		return c, fmt.Errorf("node: %w: negative rate", shoal.ErrInvalid)
	}
	if err := c.Gateway.check(); err != nil {
		return c, err
	}
	if err := c.Ingest.check(c.Gateway); err != nil {
		return c, err
	}
	if c.WebMax < 0 {
		return c, fmt.Errorf("node: %w: negative size", shoal.ErrInvalid)
	}
	if c.WebMax == 0 {
		c.WebMax = 1 << 40
	}
	if c.MaxTasks < 0 {
		return c, fmt.Errorf("node: %w: %d tasks at a time", shoal.ErrInvalid, c.MaxTasks)
	}
	if c.MaxTasks == 0 {
		c.MaxTasks = DefaultMaxTasks
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
