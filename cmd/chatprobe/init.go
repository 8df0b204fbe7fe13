package main

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/chatprobe/chatprobe/internal/scenario"
)

// newSuite is the suite that init writes.
//
//go:embed suite/protocol.yaml suite/chat.yaml
var newSuite embed.FS

// newSuiteFiles are its files.
var newSuiteFiles = []string{scenario.ProtocolFile, "chat.yaml"}

func newInitCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init DIR",
		Short: "Write a small suite to begin with",
		Long: `Write a suite of one's own into a new folder: a protocol.yaml with comments that
say what to change, a file with scenarios, and in .schema what editors need to
complete keys. It can be run as it stands. No file is overwritten.`,
		Example: `  chatprobe init mysuite
  chatprobe lint mysuite
  chatprobe run mysuite`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("init takes the name of one folder, as in chatprobe init mysuite")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			files, err := suiteFiles()
			if err != nil {
				return cannot("%w", err)
			}
			if err := writeNew(args[0], files); err != nil {
				return err
			}
			firstSteps(cmd.OutOrStdout(), args[0])
			return nil
		},
	}
}

// A newFile is a file to be written, with its name in the suite's folder.
type newFile struct {
	name string
	text []byte
}

func suiteFiles() ([]newFile, error) {
	var files []newFile
	for _, name := range newSuiteFiles {
		text, err := fs.ReadFile(newSuite, path.Join("suite", name))
		if err != nil {
			return nil, err
		}
		files = append(files, newFile{name, text})
	}
	for _, name := range schemaNames {
		text, err := schema(name)
		if err != nil {
			return nil, err
		}
		files = append(files, newFile{".schema/" + name + ".schema.json", text})
	}
	return files, nil
}

// writeNew writes files into a folder that has none of them, nor another
// suite.
func writeNew(dir string, files []newFile) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return usage("%s is there already, and is no folder", dir)
	}
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); ext == ".yaml" || ext == ".yml" || e.Name() == ".schema" {
			return usage("%s is there already: init overwrites nothing; name another folder", filepath.Join(dir, e.Name()))
		}
	}
	for _, f := range files {
		name := filepath.Join(dir, filepath.FromSlash(f.name))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			return cannot("write suite: %w", err)
		}
		if err := create(name, f.text); err != nil {
			return cannot("write suite: %w", err)
		}
	}
	return nil
}

// create writes a file that is not there yet.
func create(name string, text []byte) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Close())
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./+:@~-]+$`)

// firstSteps says what there is now, and which commands can be typed next.
func firstSteps(w io.Writer, dir string) {
	shown := dir
	if !plainWord.MatchString(shown) {
		shown = "'" + strings.ReplaceAll(shown, "'", `'\''`) + "'"
	}
	fmt.Fprintf(w, `wrote %s
      %s
      %s, for completion in editors

Now
  chatprobe lint %s
  chatprobe run %s
`, filepath.Join(dir, newSuiteFiles[0]), filepath.Join(dir, newSuiteFiles[1]), filepath.Join(dir, ".schema"), shown, shown)
	if _, err := exec.LookPath("refserver"); err == nil {
		fmt.Fprintf(w, "  chatprobe run %s -- refserver lines {port}\n", shown)
	}
	fmt.Fprintf(w, `Without a command, the built-in server of the protocol lines is tested. Yours
stands behind --, with {port} where it takes its port:
  chatprobe run %s -- COMMAND {port}
Then change %s into your protocol; its comments say how.
`, shown, filepath.Join(dir, newSuiteFiles[0]))
}
