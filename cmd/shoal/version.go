package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/shoal-cdn/shoal/internal/version"
)

func newVersion(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print which build this is",
		Args:  exactly(),
		RunE: func(*cobra.Command, []string) error {
			v := version.Get()
			if asJSON {
				return printJSON(a.stdout, v)
			}
			_, err := fmt.Fprintln(a.stdout, "shoal", v)
			return err
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}
