package main

import (
	"embed"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/chatprobe/chatprobe/internal/source"
)

// schemas are JSON Schemas of the two files that a user writes. Editors
// complete keys with them and mark those that are misspelt.
//
//go:embed schema/protocol.schema.json schema/scenario.schema.json
var schemas embed.FS

// schemaNames are what there is a schema of.
var schemaNames = []string{"protocol", "scenario"}

// schema is the JSON Schema of protocol.yaml or of a scenario file.
func schema(name string) ([]byte, error) { return fs.ReadFile(schemas, "schema/"+name+".schema.json") }

func newSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema protocol|scenario",
		Short: "Print the JSON Schema of protocol.yaml or of scenario files",
		Long: `Print the JSON Schema (draft 2020-12) of protocol.yaml or of scenario files, by
which an editor completes keys and explains them. An editor with a YAML language
server finds it by this first line of a file:

  # yaml-language-server: $schema=protocol.schema.json

chatprobe init writes both schemas and these lines. What a schema cannot say,
such as the names of messages, chatprobe lint checks.`,
		Example: `  chatprobe schema protocol > protocol.schema.json
  chatprobe schema scenario > scenario.schema.json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("schema takes one name: protocol or scenario")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := schema(args[0])
			if err != nil {
				return usage("there is no schema %q: %s", args[0], source.DidYouMean(args[0], schemaNames))
			}
			if _, err := cmd.OutOrStdout().Write(text); err != nil {
				return cannot("write schema: %w", err)
			}
			return nil
		},
	}
}
