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
	nodes   []member    // in the order of the scenario's
	line    *lab.Link   // from the origin's carrier to the nodes'; nil: they are in one
	roads   []*lab.Link // of a mesh
}

// build makes the hosts of a scenario. The caller closes the lab, which is
// nil where none could be made, also after an error.
func build(s scenario) (network, error) {
	l, err := lab.New()
	if err != nil {
		return network{}, err
	}
	n := network{lab: l}
	at, err := n.addCarriers(s)
	if err != nil {
		return n, err
	}
	add := func(name string, c *lab.Carrier, k link) (*lab.Host, error) {
		return l.AddHost(name, lab.HostConfig{Carrier: c, Up: k.up, Down: k.down})
	}
	if n.tracker, err = add("tracker", at.tracker, link{}); err != nil {
		return n, err
	}
	n.origin = member{name: "origin", host: n.tracker, link: s.origin}
	if !s.oneHost {
		if n.origin.host, err = add("origin", at.origin, s.origin); err != nil {
			return n, err
		}
	}
	for i, node := range s.nodes {
		m := member{name: fmt.Sprintf("n%02d", i), host: n.tracker, slot: i + 1, link: node.link}
		if !s.oneHost {
			m.slot = 0
			if m.host, err = add(m.name, at.nodes[node.carrier], node.link); err != nil {
				return n, err
			}
		}
		n.nodes = append(n.nodes, m)
	}
	return n, nil
}

// carriers are those that the hosts are attached to.
type carriers struct {
	tracker, origin *lab.Carrier
	nodes           []*lab.Carrier // by node.carrier
}

// addCarriers makes one carrier for all, or those that the scenario has.
func (n *network) addCarriers(s scenario) (carriers, error) {
	switch {
	case s.line != nil:
		return n.layLine(*s.line)
	case s.mesh != nil:
		return n.layMesh(*s.mesh)
	}
	c, err := n.lab.AddCarrier("isp")
	return carriers{c, c, []*lab.Carrier{c}}, err
}
