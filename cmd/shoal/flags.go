package main

import (
	"errors"
	"log/slog"
	"net"

	"github.com/spf13/cobra"

	"github.com/shoal-cdn/shoal"
	nodeapi "github.com/shoal-cdn/shoal/node/api"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// Where things are unless a flag says otherwise.
const (
	defaultTrackerListen = "127.0.0.1:7070"
	defaultTracker       = "http://" + defaultTrackerListen
	defaultNodeListen    = "0.0.0.0:7071"
	defaultNodeHTTP      = "127.0.0.1:7072"
	defaultNode          = "http://" + defaultNodeHTTP
	defaultGateway       = "127.0.0.1:7073" // for a web server on the same machine
	defaultGatewayTLS    = "0.0.0.0:7074"   // for other nodes
	defaultGatewayFetch  = 64 << 30
	defaultLANPort       = 7075
)

func trackerFlag(cmd *cobra.Command, urls *[]string) {
	cmd.Flags().StringSliceVar(urls, "tracker", []string{defaultTracker}, "`URL` of the tracker; several separated by commas")
}

// optionalTrackerFlag is for what works without a tracker, too.
func optionalTrackerFlag(cmd *cobra.Command, urls *[]string) {
	cmd.Flags().StringSliceVar(urls, "tracker", nil, "`URL` of the tracker; several separated by commas (default none: peers are looked for on the LAN)")
}

// lanFlags say whether peers are looked for on the local network.
type lanFlags struct {
	on   bool
	port uint16
}

func (f *lanFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.on, "lan", true, "find peers on the local network, and be found there")
	cmd.Flags().Uint16Var(&f.port, "lan-port", defaultLANPort, "UDP `PORT` for that, the same on all nodes")
}

// value is the port, 0 where they are not looked for.
func (f *lanFlags) value() uint16 {
	if !f.on {
		return 0
	}
	return f.port
}

func jsonFlag(cmd *cobra.Command, v *bool) {
	cmd.Flags().BoolVar(v, "json", false, "print JSON")
}

// linkFlags are what a node says of its place and its link.
type linkFlags struct {
	place    shoal.Locality
	up, down shoal.Rate
}

func (f *linkFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.place.Carrier, "carrier", "", "network operator that this node's link belongs to")
	fs.StringVar(&f.place.Region, "region", "", "region it is in")
	fs.StringVar(&f.place.Site, "site", "", "data centre or LAN it is in")
	fs.Var(&f.up, "up", "its uplink, also the limit for sending, such as 20Mbit (default unlimited)")
	fs.Var(&f.down, "down", "its downlink, also the limit for receiving (default unlimited)")
}

func logFlag(cmd *cobra.Command, v *slog.Level) {
	cmd.Flags().TextVar(v, "log-level", slog.LevelInfo, "least `LEVEL` to log: debug, info, warn or error")
}

// newLogger writes what is at least as severe as level to stderr.
func newLogger(a *app, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: level}))
}

// requireDir refuses an empty --data: a default place would be somebody's surprise.
func requireDir(op, dir string) error {
	if dir == "" {
		return usageError(op, "", "give a directory, such as --data /var/lib/shoal", errors.New("--data is missing"))
	}
	return nil
}

// requireHostPort checks the form of an address to listen on.
func requireHostPort(op, flag, addr string) error {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return usageError(op, addr, "--"+flag+" wants HOST:PORT, such as 0.0.0.0:7071", err)
	}
	return nil
}

func trackerClient(op string, urls []string) (*api.Client, error) {
	c, err := api.NewClient(urls, nil)
	if err != nil {
		return nil, usageError(op, "", "--tracker wants http://HOST:PORT; several are separated by commas", err)
	}
	return c, nil
}

func nodeClient(op, url string) (*nodeapi.Client, error) {
	c, err := nodeapi.NewClient(url)
	if err != nil {
		return nil, usageError(op, "", "--node wants http://HOST:PORT", err)
	}
	return c, nil
}
