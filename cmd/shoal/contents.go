package main

import (
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

func newContents(a *app) *cobra.Command {
	var (
		urls   []string
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "contents",
		Short: "List the contents that are registered with the tracker",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			const op = "list contents"
			c, err := trackerClient(op, urls)
			if err != nil {
				return err
			}
			contents, err := c.Contents(cmd.Context())
			if err != nil {
				return failed(op, "", err)
			}
			if asJSON {
				return listJSON(a.stdout, contents)
			}
			t := newTable(a.stdout, "CONTENT", "NAME", "SIZE", "FILES", "PIECES", "ORIGINS", "HOLDERS", "FETCHING", "CREATED")
			for _, ct := range contents {
				t.row(ct.ID.Short(), ct.Name, bytesText(ct.Size), strconv.Itoa(ct.Files),
					strconv.Itoa(ct.Pieces)+" × "+bytesText(int64(ct.PieceLength)),
					strconv.Itoa(ct.Origins), strconv.Itoa(ct.Holders), strconv.Itoa(ct.Fetchers), ago(time.Now(), ct.Created))
			}
			return t.flush()
		},
	}
	trackerFlag(cmd, &urls)
	jsonFlag(cmd, &asJSON)
	return cmd
}
