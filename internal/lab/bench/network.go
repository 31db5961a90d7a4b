//go:build linux

package main

import (
	"fmt"

	"github.com/shoal-cdn/shoal/internal/lab"
)

// network is the lab of a trial.
type network struct {
	lab     *lab.Lab
	tracker *lab.Host
	origin  member
	nodes   []member // in the order of the scenario's
}

// build makes the hosts of a scenario. The caller closes the lab, which is
// nil where none could be made, also after an error.
func build(s scenario) (network, error) {
	l, err := lab.New()
	if err != nil {
		return network{}, err
	}
	n := network{lab: l}
	carrier, err := l.AddCarrier("isp")
	if err != nil {
		return n, err
	}
	add := func(name string, k link) (*lab.Host, error) {
		return l.AddHost(name, lab.HostConfig{Carrier: carrier, Up: k.up, Down: k.down})
	}
	if n.tracker, err = add("tracker", link{}); err != nil {
		return n, err
	}
	n.origin = member{name: "origin", host: n.tracker, link: s.origin}
	if !s.oneHost {
		if n.origin.host, err = add("origin", s.origin); err != nil {
			return n, err
		}
	}
	for i, node := range s.nodes {
		m := member{name: fmt.Sprintf("n%02d", i), host: n.tracker, slot: i + 1, link: node.link}
		if !s.oneHost {
			m.slot = 0
			if m.host, err = add(m.name, node.link); err != nil {
				return n, err
			}
		}
		n.nodes = append(n.nodes, m)
	}
	return n, nil
}
