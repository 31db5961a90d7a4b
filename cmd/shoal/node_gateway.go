package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node"
)

// off is the address of a listener that is not wanted. An empty variable stands
// for no variable, so there has to be a word.
const off = "off"

// gatewayFlags are what "shoal node" says of its gateway.
type gatewayFlags struct {
	plain, secure, cert, key string
	rate                     shoal.Rate
	fetch                    shoal.Size
}

func (f *gatewayFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.plain, "gateway", defaultGateway, "`HOST:PORT` of the gateway without TLS, or off")
	fs.StringVar(&f.secure, "gateway-tls", defaultGatewayTLS, "`HOST:PORT` of the gateway with TLS, TCP and UDP, or off")
	fs.StringVar(&f.cert, "gateway-cert", "", "PEM `FILE` of a certificate for the node's names (default one that proves its ID)")
	fs.StringVar(&f.key, "gateway-key", "", "PEM `FILE` of that certificate's key")
	fs.Var(&f.rate, "gateway-rate", "limit for all that the gateway sends, such as 200Mbit (default that of --up)")
	f.fetch = defaultGatewayFetch
	fs.Var(&f.fetch, "gateway-fetch", "room for contents that are fetched because somebody asks the gateway for them; 0 for none")
}

func (f *gatewayFlags) config(op string) (node.GatewayConfig, error) {
	c := node.GatewayConfig{Plain: f.plain, TLS: f.secure, Cert: f.cert, Key: f.key, Rate: f.rate, Fetch: f.fetch}
	var errs []error
	for _, l := range []struct {
		flag string
		addr *string
	}{{"gateway", &c.Plain}, {"gateway-tls", &c.TLS}} {
		switch *l.addr {
		case off:
			*l.addr = ""
		case "":
		default:
			errs = append(errs, requireHostPort(op, l.flag, *l.addr))
		}
	}
	return c, errors.Join(errs...)
}
