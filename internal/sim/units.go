package sim

import (
	"fmt"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/shoal-cdn/shoal"
)

// Quantities in YAML are written with their unit, as on the command line.
type (
	size     shoal.Size
	rate     shoal.Rate
	duration time.Duration
)

func (s *size) UnmarshalYAML(n *yaml.Node) error {
	v, err := shoal.ParseSize(n.Value)
	*s = size(v)
	return withLine(n, err)
}

func (r *rate) UnmarshalYAML(n *yaml.Node) error {
	v, err := shoal.ParseRate(n.Value)
	*r = rate(v)
	return withLine(n, err)
}

func (d *duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := time.ParseDuration(n.Value)
	*d = duration(v)
	return withLine(n, err)
}

func withLine(n *yaml.Node, err error) error {
	if err != nil {
		return fmt.Errorf("line %d: %w", n.Line, err)
	}
	return nil
}
