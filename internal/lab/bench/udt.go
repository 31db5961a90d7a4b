//go:build linux

package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// udtSource is a program that carries a file over UDT.
//
//go:embed udt/udt.cpp
var udtSource []byte

const udtPort = 9000 // of the first content; each has a sender of its own

func udtVersion(ctx context.Context) (string, error) {
	compiler, err1 := firstLine("g++", "g++", "--version")(ctx)
	library, err2 := firstLine("libudt-dev", "dpkg-query", "--show", "--showformat", "${Version}", "libudt-dev")(ctx)
	if err := errors.Join(err1, err2); err != nil {
		return "", err
	}
	return fmt.Sprintf("libudt %s, %s", library, compiler), nil
}

// udtDriver runs a sender for each content at the origin, and a receiver for
// each at a node. UDT is the protocol as its authors made it, and its defaults.
type udtDriver struct {
	*crew
	program string
	origin  member
}

// openUDT compiles the program.
func openUDT(s stage) (driver, error) {
	d := &udtDriver{crew: newCrew(s), program: filepath.Join(s.dir, "udt")}
	source := d.program + ".cpp"
	if err := os.WriteFile(source, udtSource, 0o644); err != nil {
		return nil, err
	}
	if out, err := exec.Command("g++", "-std=c++17", "-O2", "-o", d.program, source, "-ludt", "-lpthread").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("compile the UDT program: %w\n%s", err, out)
	}
	return d, nil
}

// address is where a content is sent from.
func (d *udtDriver) address(c content) []string {
	return []string{d.origin.host.Addr().String(), strconv.Itoa(udtPort + c.index)}
}

func (d *udtDriver) startOrigin(ctx context.Context, m member) error {
	d.origin = m
	for _, c := range d.contents {
		at := d.address(c)
		p, err := d.start(m, d.program, "send", at[0], at[1], c.path)
		if err != nil {
			return err
		}
		if err := until(ctx, "wait for the sender", p, func(context.Context) (bool, error) {
			log, err := p.LogTail(len(d.contents))
			return strings.Count(log, "listening") > c.index, err
		}); err != nil {
			return err
		}
	}
	return nil
}

// startNode starts nothing: a receiver begins at once.
func (d *udtDriver) startNode(_ context.Context, m member) error { return d.makeHome(m) }

func (d *udtDriver) fetch(_ context.Context, ms []member) error {
	for _, m := range ms {
		for _, c := range d.contents {
			at := d.address(c)
			script := `"$1" receive "$2" "$3" "$4" && : >"$5"`
			if _, err := d.start(m, "sh", "-c", script, "sh", d.program, at[0], at[1], d.output(m, c), d.marker(m, c)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *udtDriver) received(_ context.Context, m member, c content) (int64, error) {
	return fileSize(d.output(m, c))
}
