package main

import (
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/shoal-cdn/shoal"
)

func newNodes(a *app) *cobra.Command {
	var (
		urls   []string
		asJSON bool
		matrix bool
	)
	cmd := &cobra.Command{
		Use:   "nodes",
		Short: "List the nodes that the tracker knows",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			const op = "list nodes"
			c, err := trackerClient(op, urls)
			if err != nil {
				return err
			}
			if matrix {
				return printMatrix(cmd.Context(), a.stdout, c, asJSON)
			}
			nodes, err := c.Nodes(cmd.Context())
			if err != nil {
				return failed(op, "", err)
			}
			if asJSON {
				return listJSON(a.stdout, nodes)
			}
			t := newTable(a.stdout, "NAME", "STATE", "SEEN", "CONTENTS", "UP", "DOWN", "PLACE", "HTTP", "ID")
			for _, n := range nodes {
				state := "up"
				if !n.Alive {
					state = "down"
				}
				if n.Guest {
					state += ", guest"
				}
				t.row(n.Name, state, ago(time.Now(), n.Seen), strconv.Itoa(n.Contents),
					rateText(n.Up), rateText(n.Down), placeText(n.Locality), n.HTTP, n.ID.Short())
			}
			return t.flush()
		},
	}
	trackerFlag(cmd, &urls)
	jsonFlag(cmd, &asJSON)
	cmd.Flags().BoolVar(&matrix, "matrix", false, "show the lines between carriers instead, as nodes saw them on their own transfers")
	return cmd
}

// placeText is "carrier/region/site", unknown ends left away.
func placeText(l shoal.Locality) string {
	switch {
	case l.Site != "":
		return l.Carrier + "/" + l.Region + "/" + l.Site
	case l.Region != "":
		return l.Carrier + "/" + l.Region
	}
	return l.Carrier
}
