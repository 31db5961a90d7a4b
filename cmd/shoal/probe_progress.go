package main

import (
	"cmp"

	"github.com/shoal-cdn/shoal/netprobe"
)

// probeProgress shows what is being measured, by subject.
type probeProgress struct {
	display display
	gauges  []gauge
	of      map[netprobe.Target]int // index in gauges
	current int                     // the subject whose transfers are under way; -1: none yet
}

func newProbeProgress(d display, subjects []subject) *probeProgress {
	p := &probeProgress{display: d, of: map[netprobe.Target]int{}, current: -1}
	for i, s := range subjects {
		p.gauges = append(p.gauges, gauge{name: cmp.Or(s.name, s.targets[0].URL)})
		for _, t := range s.targets {
			p.of[t] = i
		}
	}
	return p
}

// begin shows a step. Transfers go subject by subject.
func (p *probeProgress) begin(s netprobe.Step) {
	i := p.of[s.Target]
	note := "round trips"
	if s.Op != netprobe.Ping {
		if p.current >= 0 && p.current != i {
			p.gauges[p.current].note, p.gauges[p.current].ended = "measured", true
		}
		p.current = i
		note = "speed over " + string(s.Transport)
	}
	if p.gauges[i].note != note {
		p.gauges[i].note = note
		p.display.show(p.gauges)
	}
}

// end shows that all is done.
func (p *probeProgress) end() {
	for i := range p.gauges {
		p.gauges[i].note, p.gauges[i].ended = "measured", true
	}
	p.display.show(p.gauges)
}
