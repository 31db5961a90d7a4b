//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/shoal-cdn/shoal/internal/lab"
)

// openCurl is curl over one HTTPS connection, from nginx that sends by this
// congestion control.
func openCurl(congestion string) func(stage) (driver, error) {
	return func(s stage) (driver, error) {
		return &curlDriver{&webDriver{crew: newCrew(s), secure: true}, congestion}, nil
	}
}

type curlDriver struct {
	*webDriver
	congestion string
}

func (d *curlDriver) startOrigin(ctx context.Context, m member) error {
	if err := setRouteCongestion(ctx, m.host, d.congestion); err != nil {
		return err
	}
	return d.webDriver.startOrigin(ctx, m)
}

// setRouteCongestion sets the congestion control of all that the host sends beyond its
// carrier, by its route (ip-route(8), congctl): nginx has no setting for it, and
// not every kernel lets a namespace have any default.
func setRouteCongestion(ctx context.Context, h *lab.Host, congestion string) error {
	router := h.Carrier().Network().Addr().Next()
	return runOn(ctx, h, "ip", "route", "change", "default", "via", router.String(), "congctl", congestion)
}

func (d *webDriver) received(_ context.Context, m member, c content) (int64, error) {
	return fileSize(d.output(m, c))
}

// fileSize is the size of a file that grows as it arrives; 0 before it is there.
func fileSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// runOn runs a command on a host until it ends.
func runOn(ctx context.Context, h *lab.Host, command ...string) error {
	out, err := h.Command(ctx, command[0], command[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s on host %s: %w: %s", command[0], h.Name(), err, bytes.TrimSpace(out))
	}
	return nil
}
