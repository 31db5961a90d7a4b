package sim

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/shoal-cdn/shoal"
)

// maxFile bounds a topology's file in bytes.
const maxFile = 1 << 20

// What a topology has that says nothing else: the neighbours that a node in a swarm
// keeps, those that it is handed where there are several carriers, since then it keeps all, and
// the connections that an origin accepts.
const (
	defaultNeighbours       = 12
	mixedNeighbours         = 30
	defaultOriginNeighbours = 160
)

var defaultDelays = Delays{
	Site: 200 * time.Microsecond, Region: 2 * time.Millisecond, Carrier: 10 * time.Millisecond, Elsewhere: 25 * time.Millisecond,
}

// Load reads a topology from a YAML file; docs/simulator.md lists its keys. A
// key that is not known is an error, as is everything that [Topology.Check]
// refuses; these are of kind [shoal.ErrInvalid].
func Load(path string) (*Topology, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("topology: %w: more than %s", shoal.ErrInvalid, shoal.Size(maxFile))
	}
	return Parse(data, filepath.Dir(path))
}

// Parse reads a topology. The file whose size the content is to have is looked
// for in dir, unless its path is absolute.
func Parse(data []byte, dir string) (*Topology, error) {
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	var y topologyYAML
	if err := d.Decode(&y); err != nil {
		return nil, fmt.Errorf("topology: %w: %w", shoal.ErrInvalid, plain(err))
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("topology: %w: more than one document", shoal.ErrInvalid)
	}
	t, err := y.topology(dir)
	if err != nil {
		return nil, err
	}
	return t, t.Check()
}

// plain words what the decoder says for those who have not seen this package.
func plain(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("it is empty")
	}
	e, ok := errors.AsType[*yaml.TypeError](err)
	if !ok {
		return err
	}
	texts := slices.Clone(e.Errors)
	for i, text := range texts {
		text, _, _ = strings.Cut(text, " in type sim.")
		texts[i] = strings.Replace(text, "field ", "key ", 1)
	}
	return errors.New(strings.Join(texts, "; "))
}

// topologyYAML is a topology's form in YAML. A pointer tells a key that is
// not given from zero.
type topologyYAML struct {
	Size             size        `yaml:"size"`
	File             string      `yaml:"file"`
	PieceLength      size        `yaml:"piece_length"`
	Seed             uint64      `yaml:"seed"`
	Neighbours       *int        `yaml:"neighbours"`
	OriginNeighbours *int        `yaml:"origin_neighbours"`
	Overhead         *bool       `yaml:"overhead"`
	Delays           delaysYAML  `yaml:"delays"`
	Origins          []groupYAML `yaml:"origins"`
	Nodes            []groupYAML `yaml:"nodes"`
	Links            []linkYAML  `yaml:"links"`
}

type delaysYAML struct {
	Site      *duration `yaml:"site"`
	Region    *duration `yaml:"region"`
	Carrier   *duration `yaml:"carrier"`
	Elsewhere *duration `yaml:"elsewhere"`
}

type groupYAML struct {
	Name    string   `yaml:"name"`
	Count   *int     `yaml:"count"`
	Carrier string   `yaml:"carrier"`
	Region  string   `yaml:"region"`
	Site    string   `yaml:"site"`
	Up      rate     `yaml:"up"`
	Down    rate     `yaml:"down"`
	Delay   duration `yaml:"delay"`
	Join    duration `yaml:"join"`
	Spread  duration `yaml:"spread"`
	Leave   duration `yaml:"leave"`
	Holder  bool     `yaml:"holder"`
	Fault   Fault    `yaml:"fault"`
}

type linkYAML struct {
	A     string   `yaml:"a"`
	B     string   `yaml:"b"`
	Rate  rate     `yaml:"rate"`
	Delay duration `yaml:"delay"`
	Until duration `yaml:"until"`
	Then  rate     `yaml:"then"`
}

func (y *topologyYAML) topology(dir string) (*Topology, error) {
	t := &Topology{
		Size: int64(y.Size), PieceLength: int(min(y.PieceLength, 2*shoal.MaxPieceLength)), Seed: y.Seed,
		OriginNeighbours: or(y.OriginNeighbours, defaultOriginNeighbours),
		Overhead:         or(y.Overhead, true),
		Delays: Delays{
			Site:      time.Duration(or(y.Delays.Site, duration(defaultDelays.Site))),
			Region:    time.Duration(or(y.Delays.Region, duration(defaultDelays.Region))),
			Carrier:   time.Duration(or(y.Delays.Carrier, duration(defaultDelays.Carrier))),
			Elsewhere: time.Duration(or(y.Delays.Elsewhere, duration(defaultDelays.Elsewhere))),
		},
	}
	if y.File != "" {
		if y.Size != 0 {
			return nil, fmt.Errorf("topology: %w: size and file exclude each other", shoal.ErrInvalid)
		}
		n, err := fileSize(y.File, dir)
		if err != nil {
			return nil, err
		}
		t.Size = n
	}
	if t.PieceLength == 0 {
		t.PieceLength = choosePieceLength(t.Size)
	}
	for _, g := range y.Origins {
		if g.Holder {
			return nil, fmt.Errorf("topology: %w: origin %q: every origin holds the content; leave holder away", shoal.ErrInvalid, g.Name)
		}
		t.Origins = append(t.Origins, g.group())
	}
	for _, g := range y.Nodes {
		t.Nodes = append(t.Nodes, g.group())
	}
	switch {
	case y.Neighbours != nil:
		t.Neighbours = *y.Neighbours
	case t.mixed():
		t.Neighbours = mixedNeighbours
	default:
		t.Neighbours = defaultNeighbours
	}
	for _, l := range y.Links {
		t.Links = append(t.Links, Link{
			A: l.A, B: l.B, Rate: shoal.Rate(l.Rate), Delay: time.Duration(l.Delay),
			Until: time.Duration(l.Until), Then: shoal.Rate(l.Then),
		})
	}
	return t, nil
}

func (g *groupYAML) group() Group {
	return Group{
		Name: g.Name, Count: or(g.Count, 1),
		Locality: shoal.Locality{Carrier: g.Carrier, Region: g.Region, Site: g.Site},
		Up:       shoal.Rate(g.Up), Down: shoal.Rate(g.Down),
		Delay: time.Duration(g.Delay), Join: time.Duration(g.Join), Spread: time.Duration(g.Spread),
		Leave: time.Duration(g.Leave), Holder: g.Holder, Fault: g.Fault,
	}
}

func fileSize(name, dir string) (int64, error) {
	if !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	info, err := os.Stat(name)
	if err != nil {
		return 0, fmt.Errorf("topology: file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("topology: file %s: %w: want a regular file", name, shoal.ErrInvalid)
	}
	return info.Size(), nil
}

func or[T any](v *T, otherwise T) T {
	if v == nil {
		return otherwise
	}
	return *v
}
