package api

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/shoal-cdn/shoal"
)

func TestValidatePath(t *testing.T) {
	good := Path{From: "AS1", To: "中国电信", Bytes: 1, RTT: 61.5, Loss: 0.01, Goodput: 2_500_000}
	a := valid()
	if a.Paths = []Path{good, {From: "AS1", To: "AS2"}}; a.Validate() != nil {
		t.Fatal(a.Validate())
	}
	for name, spoil := range map[string]func(*Path){
		"nowhere":          func(p *Path) { p.To = "" },
		"from nowhere":     func(p *Path) { p.From = "" },
		"to itself":        func(p *Path) { p.To = p.From },
		"escape sequence":  func(p *Path) { p.To = "\x1b[2J" },
		"broken UTF-8":     func(p *Path) { p.To = "\xff" },
		"long":             func(p *Path) { p.To = strings.Repeat("x", maxLabel+1) },
		"negative bytes":   func(p *Path) { p.Bytes = -1 },
		"negative RTT":     func(p *Path) { p.RTT = -1 },
		"endless RTT":      func(p *Path) { p.RTT = math.Inf(1) },
		"no RTT":           func(p *Path) { p.RTT = math.NaN() },
		"negative loss":    func(p *Path) { p.Loss = -0.1 },
		"more than all":    func(p *Path) { p.Loss = 1.1 },
		"no loss":          func(p *Path) { p.Loss = math.NaN() },
		"negative goodput": func(p *Path) { p.Goodput = -1 },
	} {
		a := valid()
		a.Paths = []Path{good, good}
		spoil(&a.Paths[1])
		if err := a.Validate(); !errors.Is(err, shoal.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	a.Paths = make([]Path, MaxPaths+1)
	for i := range a.Paths {
		a.Paths[i] = good
	}
	if err := a.Validate(); !errors.Is(err, shoal.ErrInvalid) {
		t.Errorf("too many: %v", err)
	}
}
