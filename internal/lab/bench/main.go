//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/shoal-cdn/shoal"
)

func main() {
	if err := run(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	scenarios, tools string
	runs             int
	size, piece      shoal.Size
	binary, work     string
	json, svg        string
	list             bool
}

func parse(args []string, help io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(help)
	f.StringVar(&o.scenarios, "scenario", "lan16", "scenarios, separated by commas, or all; lossy: all of lossy-…")
	f.StringVar(&o.tools, "tool", "", "tools, separated by commas (default: those that the scenario is about)")
	f.IntVar(&o.runs, "runs", 3, "runs of each tool, in turn")
	f.Var(&o.size, "size", "size of all contents together (default: the scenario's)")
	f.Var(&o.piece, "piece", "piece length of .torrent files (default: to suit the content, 64KiB to 4MiB)")
	f.StringVar(&o.binary, "shoal", "", "shoal to run (default: built from this tree)")
	f.StringVar(&o.work, "dir", "", "folder for originals and copies (default: the system's for temporary files)")
	f.StringVar(&o.json, "json", "", "file to write all figures to")
	f.StringVar(&o.svg, "svg", "", "folder to draw completion curves into, as bench-SCENARIO.svg")
	f.BoolVar(&o.list, "list", false, "say which scenarios and tools there are")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 || o.runs < 1 || o.size < 0 || o.piece < 0 {
		return o, fmt.Errorf("command line: %w: want flags only, and positive numbers; see -help", shoal.ErrInvalid)
	}
	return o, nil
}

func run(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(args, os.Stderr)
	if err != nil {
		return err
	}
	if o.list {
		return list(ctx)
	}
	chosen, err := chooseDesigns(o.scenarios)
	if err != nil {
		return err
	}
	b := bench{options: o, rep: newReport(), out: os.Stdout, progress: os.Stderr}
	if b.tools, err = chooseTools(ctx, o.tools, b.progress); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp(o.work, "shoal-bench-"); err != nil {
		return err
	}
	// It stays where a failed run left something to look at.
	defer func() { _ = os.Remove(b.dir) }()
	if b.binary, err = shoalBinary(ctx, o.binary, b.dir); err != nil {
		return err
	}
	if o.binary == "" {
		defer os.Remove(b.binary)
	}
	for _, d := range chosen {
		measure := b.compare
		if d.name == uploadName {
			measure = b.upload
		}
		if err := measure(ctx, d); err != nil {
			return err
		}
	}
	if n := b.rep.failures(); n > 0 {
		return fmt.Errorf("%d runs failed: see above", n)
	}
	return nil
}

func list(ctx context.Context) error {
	for _, d := range designs() {
		fmt.Printf("%-20s %s; %v\n", d.name, d.about, d.size.Short())
	}
	fmt.Println()
	for _, t := range tools() {
		v, err := t.version(ctx)
		if err != nil {
			v = "not here: " + err.Error()
		}
		fmt.Printf("%-20s %s\n", t.name, v)
	}
	return nil
}

func chooseDesigns(names string) ([]design, error) {
	if names == "all" {
		return designs(), nil
	}
	var chosen []design
	for name := range strings.SplitSeq(names, ",") {
		d, err := findDesign(name)
		if err == nil {
			chosen = append(chosen, d)
			continue
		}
		family := slices.DeleteFunc(designs(), func(d design) bool { return !strings.HasPrefix(d.name, name+"-") })
		if len(family) == 0 {
			return nil, err
		}
		chosen = append(chosen, family...)
	}
	return chosen, nil
}

// shoalBinary is the absolute path of the binary to run, built into dir unless
// one was given.
func shoalBinary(ctx context.Context, given, dir string) (string, error) {
	if given != "" {
		return filepath.Abs(given)
	}
	path := filepath.Join(dir, "shoal")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", path, "github.com/shoal-cdn/shoal/cmd/shoal").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build shoal: %w\n%s", err, out)
	}
	return path, nil
}

func newReport() report {
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	congestion, _ := os.ReadFile("/proc/sys/net/ipv4/tcp_congestion_control")
	return report{Machine: machine{
		CPUs: runtime.NumCPU(), Kernel: strings.TrimSpace(string(kernel)),
		Congestion: strings.TrimSpace(string(congestion)), Go: runtime.Version(),
	}}
}

// has reports whether a tool is among those of a list, by its name.
func has(names []string, t installed) bool { return slices.Contains(names, t.name) }
