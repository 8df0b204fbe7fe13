package mutant

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// EquivalentsFile is the name of the file in the folder of a suite that lists
// the mutants which are correct too.
const EquivalentsFile = "equivalents.txt"

// ReadEquivalents reads which mutants nothing can catch, and why: a line for
// each with its name, a colon and the reason. Empty lines and those that begin
// with # mean nothing. A file that does not exist is an empty list.
func ReadEquivalents(fsys fs.FS, name string) (map[string]string, error) {
	data, err := fs.ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read equivalents: %w", err)
	}
	list := map[string]string{}
	in := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; in.Scan(); n++ {
		line := strings.TrimSpace(in.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		mutant, why, _ := strings.Cut(line, ":")
		why = strings.TrimSpace(why)
		switch {
		case why == "":
			return nil, fmt.Errorf("%s:%d: want the name of a mutant, a colon and the reason why nothing can catch it", name, n)
		case list[mutant] != "":
			return nil, fmt.Errorf("%s:%d: %s is named twice", name, n, mutant)
		}
		list[mutant] = why
	}
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return list, nil
}
